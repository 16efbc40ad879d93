package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/install"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	metrics "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	kjson "sigs.k8s.io/json"
)

// scheme holds every kind that is asked for: those of the API server, of its extensions, and of metrics.
var scheme = legacyscheme.Scheme

func init() {
	apiextensions.Install(scheme)
	apiregistration.Install(scheme)
	must(metrics.AddToScheme(scheme))
}

func (asked *question) gvk() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: asked.Group, Version: asked.Version, Kind: asked.Kind}
}

// unanswered says why a question makes no sense.
func unanswered(why string, words ...any) (*answer, error) {
	return &answer{Unanswered: fmt.Sprintf(why, words...)}, nil
}

// decode reads the object of a question, and what strict decoding objects to. Without an object there is no such kind.
func decode(asked *question) (runtime.Object, []string, error) {
	object, err := scheme.New(asked.gvk())
	if err != nil {
		return nil, nil, nil
	}
	objections, err := kjson.UnmarshalStrict(asked.Object, object)
	if err != nil {
		return object, nil, err
	}
	strict := make([]string, 0, len(objections))
	for _, objection := range objections {
		strict = append(strict, objection.Error())
	}
	return object, strict, nil
}

// text is an object's JSON, without apiVersion and kind.
func text(object runtime.Object) (json.RawMessage, error) {
	object.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	return json.Marshal(object)
}

func encode(asked *question) (*answer, error) {
	object, strict, err := decode(asked)
	if err != nil {
		return nil, err
	}
	if object == nil {
		return unanswered("no such kind")
	}
	found := &answer{Strict: strict}
	object.GetObjectKind().SetGroupVersionKind(asked.gvk())
	written, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	found.Text = string(written)
	var buffer bytes.Buffer
	err = protobuf.NewSerializer(scheme, scheme).Encode(object, &buffer)
	if err != nil && !protobuf.IsNotMarshalable(err) {
		return nil, err
	}
	found.Proto = buffer.Bytes()
	return found, nil
}

func fillDefaults(asked *question) (*answer, error) {
	object, _, err := decode(asked)
	if err != nil {
		return nil, err
	}
	if object == nil {
		return unanswered("no such kind")
	}
	scheme.Default(object)
	// What older clients say in another field is understood on the way through the internal type.
	if internal, err := scheme.ConvertToVersion(object, runtime.InternalGroupVersioner); err == nil {
		if again, err := scheme.ConvertToVersion(internal, asked.gvk().GroupVersion()); err == nil {
			object = again
		}
	}
	written, err := text(object)
	return &answer{Object: written}, err
}

// convert follows an object from the request's version to that of a reader: defaulted in the first, internal, then in the other.
func convert(asked *question) (*answer, error) {
	internal, _, err := internalOf(asked)
	if err != nil {
		return nil, err
	}
	if internal == nil {
		return unanswered("no such kind")
	}
	converted, err := scheme.ConvertToVersion(internal, schema.GroupVersion{Group: asked.ToGroup, Version: asked.ToVersion})
	if err != nil {
		return nil, err
	}
	written, err := text(converted)
	return &answer{Object: written}, err
}

// internalOf is the object of a question as the API server works with it.
func internalOf(asked *question) (runtime.Object, []string, error) {
	object, strict, err := decode(asked)
	if object == nil || err != nil {
		return nil, nil, err
	}
	scheme.Default(object)
	// The objects of several groups can be of one internal kind.
	internal, err := scheme.ConvertToVersion(object, runtime.InternalGroupVersioner)
	return internal, strict, err
}

func strategicMerge(asked *question) (*answer, error) {
	object, err := scheme.New(asked.gvk())
	if err != nil {
		return unanswered("no such kind")
	}
	merged, err := strategicpatch.StrategicMergePatch(asked.Object, asked.Patch, reflect.ValueOf(object).Elem().Interface())
	if err != nil {
		return nil, err
	}
	return &answer{Object: merged}, nil
}
