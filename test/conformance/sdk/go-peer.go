// Makes a few traces with the OpenTelemetry SDK for Go and prints each span.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

type object = map[string]any

type printer struct{ out *json.Encoder }

func plain(attributes []attribute.KeyValue) object {
	values := object{}
	for _, a := range attributes {
		values[string(a.Key)] = a.Value.AsInterface()
	}
	return values
}

func idText(valid bool, text string) string {
	if valid {
		return text
	}
	return ""
}

func (p printer) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	statusCodes := map[codes.Code]int{codes.Unset: 0, codes.Ok: 1, codes.Error: 2}
	for _, s := range spans {
		events, links := []object{}, []object{}
		for _, e := range s.Events() {
			events = append(events, object{"name": e.Name, "time": strconv.FormatInt(e.Time.UnixNano(), 10), "attributes": plain(e.Attributes)})
		}
		for _, l := range s.Links() {
			links = append(links, object{"traceId": l.SpanContext.TraceID().String(), "spanId": l.SpanContext.SpanID().String(), "attributes": plain(l.Attributes)})
		}
		err := p.out.Encode(object{
			"traceId": s.SpanContext().TraceID().String(), "spanId": s.SpanContext().SpanID().String(),
			"parentSpanId": idText(s.Parent().SpanID().IsValid(), s.Parent().SpanID().String()),
			"traceState":   s.SpanContext().TraceState().String(), "name": s.Name(), "kind": int(s.SpanKind()),
			"start": strconv.FormatInt(s.StartTime().UnixNano(), 10), "end": strconv.FormatInt(s.EndTime().UnixNano(), 10),
			"attributes": plain(s.Attributes()), "events": events, "links": links,
			"status":   object{"code": statusCodes[s.Status().Code], "message": s.Status().Description},
			"resource": plain(s.Resource().Attributes()),
			"scope":    object{"name": s.InstrumentationScope().Name, "version": s.InstrumentationScope().Version},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (printer) Shutdown(context.Context) error { return nil }

func exporter(ctx context.Context) (sdktrace.SpanExporter, error) {
	endpoint, gzip := os.Getenv("PEER_ENDPOINT"), os.Getenv("PEER_COMPRESSION") == "gzip"
	switch os.Getenv("PEER_PROTOCOL") {
	case "grpc":
		options := []otlptracegrpc.Option{otlptracegrpc.WithEndpoint(endpoint), otlptracegrpc.WithInsecure()}
		if gzip {
			options = append(options, otlptracegrpc.WithCompressor("gzip"))
		}
		return otlptracegrpc.New(ctx, options...)
	case "http/protobuf":
		options := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(endpoint)}
		if gzip {
			options = append(options, otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
		}
		return otlptracehttp.New(ctx, options...)
	}
	os.Exit(3)
	return nil, nil
}

func main() {
	ctx := context.Background()
	real, err := exporter(ctx)
	if err != nil {
		panic(err)
	}
	res := resource.NewSchemaless(attribute.String("service.name", "go peer"), attribute.StringSlice("a.list", []string{"x", "ü"}))
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithBatcher(real),
		sdktrace.WithSyncer(printer{json.NewEncoder(os.Stdout)}))
	tracer := provider.Tracer("peer", trace.WithInstrumentationVersion("1.2.3"))
	var last trace.SpanContext
	for round := range 20 {
		options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
		if last.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: last, Attributes: []attribute.KeyValue{attribute.Int("round", round)}}))
		}
		rootCtx, root := tracer.Start(ctx, "root", options...)
		for child := range 4 {
			_, span := tracer.Start(rootCtx, "Kind "+strconv.Itoa(child)+" 子", trace.WithSpanKind(trace.SpanKindClient),
				trace.WithAttributes(attribute.Int("child", child), attribute.Float64("half", float64(child)+0.5), attribute.Bool("yes", true)))
			span.SetAttributes(attribute.StringSlice("texts", []string{"a", "", "ß"}), attribute.IntSlice("numbers", []int{1, 2, 3}),
				attribute.BoolSlice("flags", []bool{true, false}), attribute.String("empty", ""),
				attribute.String("long", strings.Repeat("l", 300)), attribute.Int("negative", -7))
			span.AddEvent("happened", trace.WithAttributes(attribute.Int("at", child)))
			if child == 3 {
				span.RecordError(errors.New("broken"))
				span.SetStatus(codes.Error, "it broke")
			}
			span.End()
		}
		root.SetStatus(codes.Ok, "")
		root.End()
		last = root.SpanContext()
	}
	if err := provider.Shutdown(ctx); err != nil {
		panic(err)
	}
}
