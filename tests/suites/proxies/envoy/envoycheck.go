// Reads a bootstrap configuration of Envoy in YAML, and prints what is wrong with it: unknown fields, types and the
// constraints of Envoy's own definitions.
package main

import (
	"fmt"
	"io"
	"os"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"sigs.k8s.io/yaml"
)

type validated interface{ ValidateAll() error }

// check validates a message and everything in its fields of type Any.
func check(message proto.Message) error {
	if v, ok := message.(validated); ok {
		if err := v.ValidateAll(); err != nil {
			return err
		}
	}
	var failure error
	message.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		visit := func(inner protoreflect.Value) {
			if any, ok := inner.Message().Interface().(*anypb.Any); ok {
				content, err := any.UnmarshalNew()
				if err == nil {
					err = check(content)
				}
				failure = first(failure, err)
			} else {
				failure = first(failure, check(inner.Message().Interface()))
			}
		}
		isMessage := field.Kind() == protoreflect.MessageKind
		switch {
		case field.IsMap() && field.MapValue().Kind() == protoreflect.MessageKind:
			value.Map().Range(func(_ protoreflect.MapKey, inner protoreflect.Value) bool { visit(inner); return true })
		case field.IsList() && isMessage:
			for i := range value.List().Len() {
				visit(value.List().Get(i))
			}
		case isMessage && !field.IsMap() && !field.IsList():
			visit(value)
		}
		return failure == nil
	})
	return failure
}

func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func main() {
	text, err := io.ReadAll(os.Stdin)
	var json []byte
	if err == nil {
		json, err = yaml.YAMLToJSONStrict(text)
	}
	config := &bootstrap.Bootstrap{}
	if err == nil {
		err = protojson.Unmarshal(json, config)
	}
	if err == nil {
		err = check(config)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("valid")
}
