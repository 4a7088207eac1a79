# syntax=docker/dockerfile:1
# The image of both tiers: Node, dist/ and its production dependencies.
#   docker build -t ringtail:0.1.0 --build-arg NODE_DIGEST=@sha256:… .
# NODE_DIGEST pins the base image; without it the tag decides.
ARG NODE_IMAGE=node:26-bookworm-slim
ARG NODE_DIGEST=

FROM ${NODE_IMAGE}${NODE_DIGEST} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm install --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY .ci/build-dist.ts .ci/build-dist.ts
COPY wasm wasm
COPY src src
RUN npm run build:wasm && npm run build \
 && npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM ${NODE_IMAGE}${NODE_DIGEST}
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /src/package.json ./package.json
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/dist ./dist
COPY --chmod=755 helm/image/ringtail /ringtail
# The OpenTelemetry chart and operator start a Collector by one of these.
RUN ln -s /ringtail /otelcol && ln -s /ringtail /otelcol-contrib && ln -s /ringtail /otelcol-k8s
USER 65532:65532
EXPOSE 4317 4318 8888 13133
# Exec form: the program is PID 1 and gets SIGTERM itself. It writes to /tmp and to its volume only.
ENTRYPOINT ["/ringtail"]
CMD ["--config=/conf/relay.yaml"]
