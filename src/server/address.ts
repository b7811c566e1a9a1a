import { StoreError, invalid } from '../base/errors.js';

/** `host:port`, `[v6]:port`; an empty host is every interface. Throws `invalid` PS_ADDRESS. */
export function splitAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3] ?? -1);
  if (match === null || port > 65_535) {
    throw invalid(
      'PS_ADDRESS',
      `cannot listen: got address ${JSON.stringify(address)}; want host:port, for example 127.0.0.1:4040`,
    );
  }
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '' ? '::' : host, port };
}

export function listenError(protocol: string, address: string, cause: Error): StoreError {
  return new StoreError({
    kind: 'unavailable',
    code: 'PS_LISTEN',
    message: `cannot listen for ${protocol} on ${address}: got ${cause.message}; want a free address`,
    cause,
  });
}
