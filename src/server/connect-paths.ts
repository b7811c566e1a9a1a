import { AdminService } from '../gen/basalt/v1/admin_pb.js';
import { IngestService } from '../gen/basalt/v1/ingest_pb.js';
import { QueryService } from '../gen/basalt/v1/query_pb.js';
import { PusherService } from '../gen/push/v1/push_pb.js';
import { QuerierService } from '../gen/querier/v1/querier_pb.js';

/** Apart from the services' handlers, which are loaded by the first call of one of these. */
const PREFIXES = [IngestService, QueryService, AdminService, PusherService, QuerierService].map(
  (service) => `/${service.typeName}/`,
);

/** Whether `path` is a method's of a service that Connect serves. */
export function isConnectPath(path: string): boolean {
  return PREFIXES.some((prefix) => path.startsWith(prefix));
}
