// The place that samplers export to: takes OTLP over gRPC and counts distinct spans by trace. Runs in a pod of the image under test.
import { createServer } from 'node:http';
import { exportTraceServiceRequest } from '/app/dist/src/shared/otlp/messages.js';
import { Server, ServerCredentials } from '/app/node_modules/@grpc/grpc-js/build/src/index.js';

const traces = new Map();
const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const bytes = (value) => value;

function take(body) {
  for (const { scopeSpans } of exportTraceServiceRequest.decode(body).resourceSpans) {
    for (const { spans } of scopeSpans) {
      for (const { traceId, spanId } of spans) {
        const id = Buffer.from(traceId).toString('hex');
        const seen = traces.get(id) ?? new Set();
        seen.add(Buffer.from(spanId).toString('hex'));
        traces.set(id, seen);
      }
    }
  }
}

const server = new Server({ 'grpc.max_receive_message_length': -1 });
server.addService(
  {
    export: {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    },
  },
  {
    export: (call, answer) => {
      take(call.request);
      answer(null, Buffer.alloc(0));
    },
  },
);
server.bindAsync('0.0.0.0:4317', ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  console.log('sink listens');
});
createServer((request, response) => {
  if (request.url === '/forget') traces.clear();
  response.end(JSON.stringify(Object.fromEntries([...traces].map(([id, seen]) => [id, seen.size]))));
}).listen(8099);
process.on('SIGTERM', () => process.exit(0));
