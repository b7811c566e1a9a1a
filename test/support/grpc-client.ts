/** A plain gRPC client of the ingest service, over the generated messages. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import type { Temporality } from '../../src/gen/basalt/v1/common_pb.js';
import {
  type WriteProfileResponse,
  WriteProfileRequestSchema,
  WriteProfileResponseSchema,
} from '../../src/gen/basalt/v1/ingest_pb.js';

export interface WriteCall {
  readonly labels: Readonly<Record<string, string>>;
  readonly profile: Uint8Array;
  readonly profileId?: string;
  readonly temporality?: Temporality;
}

export class IngestClient {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure());
  }

  write(call: WriteCall, deadlineMs = 10_000): Promise<WriteProfileResponse> {
    const message = create(WriteProfileRequestSchema, {
      labels: Object.entries(call.labels).map(([name, value]) => ({ name, value })),
      profile: call.profile,
      profileId: call.profileId ?? '',
      temporality: call.temporality ?? 0,
    });
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        '/basalt.v1.IngestService/WriteProfile',
        (m: Uint8Array) => Buffer.from(m),
        (b: Buffer) => fromBinary(WriteProfileResponseSchema, b),
        toBinary(WriteProfileRequestSchema, message),
        { deadline: Date.now() + deadlineMs },
        (error: ServiceError | null, value?: WriteProfileResponse) => {
          if (error !== null) reject(error);
          else if (value === undefined) reject(new Error('no answer'));
          else resolve(value);
        },
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}
