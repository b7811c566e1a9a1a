import { create, toBinary } from '@bufbuild/protobuf';
import type { DescFile, DescMessage, MessageInitShape } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { status, type ServerDuplexStream } from '@grpc/grpc-js';
import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from '../gen/grpc/reflection/v1/reflection_pb.js';
import type { ServerReflectionRequest } from '../gen/grpc/reflection/v1/reflection_pb.js';
import { asBuffer, grpcStatus } from './grpc-service.js';
import { decodeMessage } from './ingest-messages.js';
import { wireError } from './wire-errors.js';

type Answer = NonNullable<
  MessageInitShape<typeof ServerReflectionResponseSchema>['messageResponse']
>;

/** What reflection knows: every file of the generated code that the services need, and where each symbol is. */
export class ReflectionIndex {
  private readonly files = new Map<string, DescFile>();
  private readonly symbols = new Map<string, DescFile>();
  private readonly messages = new Set<string>();
  private readonly services: string[] = [];
  private readonly encoded = new Map<DescFile, Uint8Array>();

  constructor(files: readonly DescFile[]) {
    for (const file of files) {
      for (const service of file.services) this.services.push(service.typeName);
      this.addFile(file);
    }
    this.services.sort();
  }

  private addFile(file: DescFile): void {
    if (this.files.has(file.proto.name)) return;
    this.files.set(file.proto.name, file);
    for (const message of file.messages) this.addMessage(file, message);
    for (const type of file.enums) {
      this.symbols.set(type.typeName, file);
      // The scope of a value is that of its enum.
      const scope = type.typeName.slice(0, type.typeName.lastIndexOf('.') + 1);
      for (const value of type.values) this.symbols.set(scope + value.name, file);
    }
    for (const service of file.services) {
      this.symbols.set(service.typeName, file);
      for (const method of service.methods) {
        this.symbols.set(`${service.typeName}.${method.name}`, file);
      }
    }
    for (const dependency of file.dependencies) this.addFile(dependency);
  }

  private addMessage(file: DescFile, message: DescMessage): void {
    this.symbols.set(message.typeName, file);
    this.messages.add(message.typeName);
    for (const field of message.fields) this.symbols.set(`${message.typeName}.${field.name}`, file);
    for (const oneof of message.oneofs) this.symbols.set(`${message.typeName}.${oneof.name}`, file);
    for (const type of message.nestedEnums) {
      this.symbols.set(type.typeName, file);
      for (const value of type.values) this.symbols.set(`${message.typeName}.${value.name}`, file);
    }
    for (const nested of message.nestedMessages) this.addMessage(file, nested);
  }

  answer(request: ServerReflectionRequest): Answer {
    const asked = request.messageRequest;
    switch (asked.case) {
      case 'listServices': {
        const service = this.services.map((name) => ({ name }));
        return { case: 'listServicesResponse', value: { service } };
      }
      case 'fileByFilename':
        return this.fileAnswer(this.files.get(asked.value), `file ${asked.value}`);
      case 'fileContainingSymbol':
        return this.fileAnswer(this.symbols.get(asked.value), `symbol ${asked.value}`);
      case 'fileContainingExtension':
        return notFound(
          `extension ${asked.value.extensionNumber} of ${asked.value.containingType}`,
        );
      case 'allExtensionNumbersOfType': {
        // Our files are proto3: nothing is extended.
        if (!this.messages.has(asked.value)) return notFound(`message ${asked.value}`);
        const value = { baseTypeName: asked.value, extensionNumber: [] };
        return { case: 'allExtensionNumbersResponse', value };
      }
      case undefined:
        return errorAnswer(status.INVALID_ARGUMENT, 'cannot answer: got no message_request');
    }
  }

  /** The file and all that it needs, itself first. */
  private fileAnswer(file: DescFile | undefined, what: string): Answer {
    if (file === undefined) return notFound(what);
    const closure = new Set<DescFile>();
    const add = (next: DescFile): void => {
      if (closure.has(next)) return;
      closure.add(next);
      for (const dependency of next.dependencies) add(dependency);
    };
    add(file);
    const fileDescriptorProto = [...closure].map((next) => this.encode(next));
    return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
  }

  private encode(file: DescFile): Uint8Array {
    let bytes = this.encoded.get(file);
    if (bytes === undefined) {
      bytes = toBinary(FileDescriptorProtoSchema, file.proto);
      this.encoded.set(file, bytes);
    }
    return bytes;
  }
}

function errorAnswer(errorCode: number, errorMessage: string): Answer {
  return { case: 'errorResponse', value: { errorCode, errorMessage } };
}

function notFound(what: string): Answer {
  return errorAnswer(status.NOT_FOUND, `cannot find ${what}`);
}

/** v1 and v1alpha have the same messages but for the package, so that one handler serves both. */
export function reflectionHandler(
  index: ReflectionIndex,
): (call: ServerDuplexStream<Buffer, Buffer>) => void {
  return (call) => {
    call.on('data', (bytes: Buffer) => {
      try {
        const request = decodeMessage(ServerReflectionRequestSchema, bytes);
        const answer = create(ServerReflectionResponseSchema, {
          validHost: request.host,
          originalRequest: request,
          messageResponse: index.answer(request),
        });
        const roomLeft = call.write(asBuffer(toBinary(ServerReflectionResponseSchema, answer)));
        if (!roomLeft) {
          call.pause();
          call.once('drain', () => call.resume());
        }
      } catch (error) {
        call.emit('error', grpcStatus(wireError(error)));
      }
    });
    call.on('end', () => call.end());
  };
}
