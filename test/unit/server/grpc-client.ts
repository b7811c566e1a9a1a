import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';

/** A plain gRPC client over generated messages. */

interface Method<I extends DescMessage, O extends DescMessage> {
  readonly parent: { readonly typeName: string };
  readonly name: string;
  readonly input: I;
  readonly output: O;
}

export function grpcClient(address: string): Client {
  return new Client(address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
  });
}

export function metadataOf(values: Record<string, string>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(values)) metadata.set(name, value);
  return metadata;
}

function pathOf(method: Method<DescMessage, DescMessage>): string {
  return `/${method.parent.typeName}/${method.name}`;
}

export interface UnaryOptions {
  readonly metadata?: Metadata;
  readonly call?: CallOptions;
  readonly started?: (call: ClientUnaryCall) => void;
}

/** Rejects with the library's ServiceError. */
export function unary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: Method<I, O>,
  request: MessageInitShape<I> | Uint8Array,
  options: UnaryOptions = {},
): Promise<MessageShape<O>> {
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest<MessageInitShape<I> | Uint8Array, MessageShape<O>>(
      pathOf(method),
      (message) => encode(method.input, message),
      (bytes) => fromBinary(method.output, bytes),
      request,
      options.metadata ?? new Metadata(),
      options.call ?? {},
      (error: ServiceError | null, answer?: MessageShape<O>) => {
        if (error !== null) reject(error);
        else if (answer !== undefined) resolve(answer);
      },
    );
    options.started?.(call);
  });
}

export function duplex<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: Method<I, O>,
  metadata = new Metadata(),
): ClientDuplexStream<MessageInitShape<I>, MessageShape<O>> {
  return client.makeBidiStreamRequest<MessageInitShape<I>, MessageShape<O>>(
    pathOf(method),
    (message) => encode(method.input, message),
    (bytes) => fromBinary(method.output, bytes),
    metadata,
  );
}

export function serverStream<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: Method<I, O>,
  request: MessageInitShape<I>,
) {
  return client.makeServerStreamRequest<MessageInitShape<I>, MessageShape<O>>(
    pathOf(method),
    (message) => encode(method.input, message),
    (bytes) => fromBinary(method.output, bytes),
    request,
  );
}

function encode<I extends DescMessage>(
  schema: I,
  message: MessageInitShape<I> | Uint8Array,
): Buffer {
  const bytes =
    message instanceof Uint8Array
      ? message
      : toBinary(schema, create(schema, message as MessageInitShape<I>));
  return Buffer.from(bytes);
}
