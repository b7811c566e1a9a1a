import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { StoreError, invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { MetricsRegistry } from '../base/metrics.js';
import type { Clock } from '../env/clock.js';
import type { IngestApi } from '../ingest/api.js';
import type { QueryApi } from '../query/api.js';
import { BodyBudget } from './body-budget.js';
import { listenError, splitAddress } from './address.js';
import type { ErrorReporter } from './grpc-service.js';
import { isConnectPath } from './connect-paths.js';
import { API_ROUTE_NAMES, findApiRoute } from './http-api.js';
import { serveH2c } from './h2c.js';
import { sendError, sendReply, type Reply } from './http-respond.js';
import { ADMIN_ROUTES, type AdminApi } from './http-admin.js';
import { compact, type CompactCall } from './http-compact.js';
import { write } from './http-write.js';
import type { LinkTemplates } from './links.js';
import { nearest } from './nearest.js';
import { INGEST_PATHS, ingestError, ingestProfiles } from './pyroscope/ingest.js';
import type { MethodMetrics, RequestMetrics } from './request-metrics.js';
import { isRenderPath, type RenderPath } from './pyroscope/render-paths.js';
import { queriedTenantsOf, TENANT_HEADER, tenantOf } from './tenant.js';
import { wireError, type WireError } from './wire-errors.js';

/** One file of the web page. */
export interface StaticAsset {
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** By path, `/` included. */
export type StaticAssets = ReadonlyMap<string, StaticAsset>;

export interface HttpServerOptions {
  readonly ingest: IngestApi;
  readonly query: QueryApi;
  /** host:port; port 0 takes any that is free. */
  readonly address: string;
  readonly clock: Clock;
  readonly metrics: MetricsRegistry;
  readonly requestMetrics: RequestMetrics;
  readonly ready: () => boolean;
  readonly ui: StaticAssets;
  readonly report: ErrorReporter;
  readonly compact?: CompactCall | undefined;
  readonly links: LinkTemplates;
  readonly admin?: AdminApi | undefined;
}

export interface HttpServer {
  readonly port: number;
  /** Refuses new calls, waits up to `drainMs` for those under way, then cuts them. Idempotent. */
  close(drainMs: number): Promise<void>;
}

const HEADERS_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 120_000;
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** What a Connect request without a declared length counts for. */
const UNDECLARED_BODY_BYTES = 1 << 20;
const WRITE_PATH = '/api/v1/write';
const COMPACT_PATH = '/api/v1/compact';
const TEXT_TYPE = 'text/plain; charset=utf-8';
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const NO_STORE = { 'cache-control': 'no-store' };

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  /** What follows `?`. */
  readonly search: string;
}

/** Answers one request; `name` counts it in the metrics. */
interface Handler {
  readonly name: string;
  readonly methods: readonly string[];
  readonly run: (exchange: Exchange, signal: AbortSignal) => Promise<Reply>;
  /** Default: wireError. */
  readonly wireError?: (error: unknown) => WireError;
}

function badHost(): StoreError {
  return invalid('PS_HOST', 'cannot answer: got a broken or no Host header; want host:port');
}

class HttpApp {
  private readonly options: HttpServerOptions;
  private readonly closing: AbortSignal;
  private connect: Promise<RequestListener> | undefined;
  private readonly budget = new BodyBudget(LIMITS.httpBodiesBytesMax);
  private readonly methodMetrics = new Map<string, MethodMetrics>();
  private active = 0;
  private whenIdle: (() => void) | undefined;

  constructor(options: HttpServerOptions, closing: AbortSignal) {
    this.options = options;
    this.closing = closing;
    options.metrics.gaugeOf(
      { name: 'basalt_http_body_bytes', help: 'Request bodies held in memory over HTTP.' },
      () => this.budget.used,
    );
  }

  /** The listener of the server: never throws, whatever is sent. */
  listener(request: IncomingMessage, response: ServerResponse): void {
    try {
      this.admit(request, response);
    } catch (error) {
      sendError(request, response, wireError(error));
    }
  }

  private admit(request: IncomingMessage, response: ServerResponse): void {
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const exchange = { request, response, path, search: mark < 0 ? '' : url.slice(mark + 1) };
    refuseForeignPages(request);
    // Probes and scrapes are answered however busy the server is.
    const probe = this.probe(path);
    if (probe === undefined && this.active >= LIMITS.httpRequestsMax) throw tooManyRequests();
    this.active += 1;
    response.once('close', () => this.finished());
    if (probe !== undefined) {
      void this.serve(exchange, probe);
      return;
    }
    if (isConnectPath(path)) void this.serveConnect(exchange);
    else void this.serve(exchange, this.find(path));
  }

  /** Resolves when no request is under way. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.active === 0) resolve();
      else this.whenIdle = resolve;
    });
  }

  private finished(): void {
    this.active -= 1;
    if (this.active === 0) this.whenIdle?.();
  }

  /** Connect's 80 modules are loaded by its first call: a server that is spoken to otherwise starts without. */
  private async loadConnect(): Promise<RequestListener> {
    const { connectHandler } = await import('./http-connect.js');
    const { ingest, query, admin, requestMetrics, report } = this.options;
    const { closing } = this;
    return connectHandler(
      { ingest, query, admin, requestMetrics, report, closing },
      (request, response) => {
        sendError(request, response, wireError(pathNotFound(request.url ?? '')));
      },
    );
  }

  private async serveConnect({ request, response }: Exchange): Promise<void> {
    const length = request.headers['content-length'];
    const heldBytes = length === undefined ? UNDECLARED_BODY_BYTES : Number(length);
    try {
      this.budget.take(heldBytes);
      response.once('close', () => this.budget.give(heldBytes));
      this.connect ??= this.loadConnect();
      const connect = await this.connect;
      connect(request, response);
    } catch (error) {
      const isOurs = error instanceof StoreError;
      // The adapter throws for a Host header that makes no URL.
      sendError(request, response, wireError(isOurs ? error : badHost()));
    }
  }

  private probe(path: string): Handler | undefined {
    const methods = ['GET', 'HEAD'];
    switch (path) {
      case '/healthz':
        return { name: path, methods, run: async () => plain('ok\n') };
      case '/ready':
        return {
          name: path,
          methods,
          run: async () => {
            if (this.options.ready()) return plain('ready\n');
            throw new StoreError({
              kind: 'unavailable',
              code: 'PS_NOT_READY',
              message: 'cannot serve: got not ready; want ready',
            });
          },
        };
      case '/metrics':
        return {
          name: path,
          methods,
          run: async () => ({
            contentType: METRICS_TYPE,
            body: Buffer.from(this.options.metrics.render()),
            headers: NO_STORE,
          }),
        };
      default:
        return undefined;
    }
  }

  /** Throws `not-found` PS_PATH_UNKNOWN. */
  private find(path: string): Handler {
    if (path === WRITE_PATH) return this.writeHandler();
    if (INGEST_PATHS.includes(path)) return this.pyroscopeHandler();
    const run = this.options.compact;
    if (path === COMPACT_PATH && run !== undefined) {
      return {
        name: path,
        methods: ['POST'],
        run: ({ search }, signal) => compact(run, search, signal),
      };
    }
    const admin = this.adminHandler(path);
    if (admin !== undefined) return admin;
    const api = findApiRoute(path);
    if (api !== undefined) {
      const { route, pathValue } = api;
      const { query, clock, links } = this.options;
      return {
        name: route.name,
        methods: ['GET', 'HEAD'],
        run: async ({ request, search }, signal) => {
          const context = { tenantId: tenantOfRequest(request), signal };
          return await route.run({
            query,
            context,
            nowMs: clock.nowMs(),
            search,
            links,
            pathValue,
          });
        },
      };
    }
    if (isRenderPath(path)) return this.renderHandler(path);
    const asset = this.options.ui.get(path);
    if (asset === undefined) throw pathNotFound(path);
    const headers = { 'cache-control': 'no-cache' };
    return { name: 'ui', methods: ['GET', 'HEAD'], run: async () => ({ ...asset, headers }) };
  }

  private adminHandler(path: string): Handler | undefined {
    const { admin, clock } = this.options;
    const route = ADMIN_ROUTES.get(path);
    if (admin === undefined || route === undefined) return undefined;
    return {
      name: path,
      methods: [route.method],
      run: ({ request, search }) =>
        route.run({ admin, tenantId: tenantOfRequest(request), search, nowMs: clock.nowMs() }),
    };
  }

  private writeHandler(): Handler {
    const { ingest } = this.options;
    return {
      name: WRITE_PATH,
      methods: ['POST'],
      run: async ({ request, search }) => {
        const tenantId = tenantOfRequest(request);
        return await write({ ingest, tenantId, request, search, budget: this.budget });
      },
    };
  }

  private renderHandler(path: RenderPath): Handler {
    const { query, clock } = this.options;
    return {
      name: path,
      methods: ['GET', 'HEAD'],
      run: async ({ request, search }, signal) => {
        const { RENDER_ROUTES } = await import('./pyroscope/render.js');
        const context = { tenantId: queriedTenantsOf(tenantHeader(request)), signal };
        return await RENDER_ROUTES[path]({
          query,
          context,
          nowMs: clock.nowMs(),
          search,
          links: this.options.links,
          pathValue: '',
        });
      },
    };
  }

  private pyroscopeHandler(): Handler {
    const { ingest } = this.options;
    return {
      name: '/ingest',
      methods: ['POST'],
      run: async ({ request, search }) => {
        const tenantId = tenantOfRequest(request);
        const { clock, requestMetrics } = this.options;
        const { discarded } = requestMetrics;
        const call = { ingest, tenantId, request, search, budget: this.budget, clock, discarded };
        return await ingestProfiles(call);
      },
      wireError: ingestError,
    };
  }

  /** Runs a handler and sends what comes of it; never rejects. */
  private async serve(exchange: Exchange, handler: Handler): Promise<void> {
    const { request, response } = exchange;
    const metrics = this.metricsOf(handler.name);
    const startMs = metrics.started();
    const controller = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) controller.abort();
    });
    try {
      const method = request.method ?? '';
      if (!handler.methods.includes(method)) {
        const allow = handler.methods.join(', ');
        const error = invalid('PS_METHOD', `cannot answer: got method ${method}; want ${allow}`);
        sendError(request, response, { ...wireError(error), httpStatus: 405 }, { allow });
        metrics.finished(startMs, 'invalid_argument');
        return;
      }
      await sendReply(request, response, await handler.run(exchange, controller.signal));
      metrics.finished(startMs, 'ok');
    } catch (error) {
      const wire = (handler.wireError ?? wireError)(error);
      if (wire.codeName === 'internal' || wire.codeName === 'data_loss') {
        this.options.report(handler.name, error);
      }
      metrics.finished(startMs, wire.codeName);
      sendError(request, response, wire);
    }
  }

  private metricsOf(name: string): MethodMetrics {
    let metrics = this.methodMetrics.get(name);
    if (metrics === undefined) {
      metrics = this.options.requestMetrics.method('http', name);
      this.methodMetrics.set(name, metrics);
    }
    return metrics;
  }
}

function plain(text: string): Reply {
  return { contentType: TEXT_TYPE, body: Buffer.from(text), headers: NO_STORE };
}

function tenantHeader(request: IncomingMessage): string | undefined {
  const header = request.headers[TENANT_HEADER];
  return Array.isArray(header) ? header.join(',') : header;
}

function tenantOfRequest(request: IncomingMessage): string {
  return tenantOf(tenantHeader(request));
}

/**
 * A page of another site may make a browser send us a POST. It could not read the answer, but it could write profiles
 * into a server on loopback, which asks nobody who they are.
 */
function refuseForeignPages(request: IncomingMessage): void {
  const reads = request.method === 'GET' || request.method === 'HEAD';
  if (reads || request.headers['sec-fetch-site'] !== 'cross-site') return;
  throw invalid(
    'PS_CROSS_SITE',
    'cannot answer: got a call by a page of another site; want our own',
  );
}

function pathNotFound(path: string): StoreError {
  const known = [
    ...API_ROUTE_NAMES,
    WRITE_PATH,
    ...INGEST_PATHS,
    '/metrics',
    '/ready',
    '/healthz',
    '/',
  ];
  const guess = nearest(path, known) ?? '/api/v1/..., see docs/api.md';
  return new StoreError({
    kind: 'not-found',
    code: 'PS_PATH_UNKNOWN',
    message: `cannot answer: got path ${JSON.stringify(path.slice(0, 128))}; want ${guess}`,
  });
}

function tooManyRequests(): StoreError {
  return new StoreError({
    kind: 'limit',
    code: 'PS_REQUESTS',
    message: `cannot answer: got ${LIMITS.httpRequestsMax} requests under way; want fewer`,
    details: { retryAfterMs: 1_000 },
  });
}

function listen(server: Server, address: string): Promise<number> {
  const { host, port } = splitAddress(address);
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(listenError('HTTP', address, error));
    server.once('error', failed);
    server.listen({ host, port }, () => {
      server.off('error', failed);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const closing = new AbortController();
  const app = new HttpApp(options, closing.signal);
  const listener = (request: IncomingMessage, response: ServerResponse): void =>
    app.listener(request, response);
  const server = createServer(
    {
      maxHeaderSize: LIMITS.httpHeaderBytesMax,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    },
    listener,
  );
  const h2c = serveH2c(server, listener, {
    helloTimeoutMs: HEADERS_TIMEOUT_MS,
    idleTimeoutMs: KEEP_ALIVE_TIMEOUT_MS,
    streamTimeoutMs: REQUEST_TIMEOUT_MS,
  });
  server.maxConnections = LIMITS.httpConnectionsMax;
  const port = await listen(server, options.address);
  let closed: Promise<void> | undefined;
  const close = async (drainMs: number): Promise<void> => {
    const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
    h2c.drain();
    const timer = new AbortController();
    const late = options.clock.sleep(drainMs, timer.signal).catch(() => undefined);
    await Promise.race([app.idle(), late]);
    timer.abort();
    closing.abort();
    // What is left are calls past their time, and connections on which nothing was ever asked: those would hold up
    // `server.close` until they time out.
    server.closeAllConnections();
    h2c.destroy();
    await stopped;
  };
  return {
    port,
    close(drainMs) {
      closed ??= close(drainMs);
      return closed;
    },
  };
}
