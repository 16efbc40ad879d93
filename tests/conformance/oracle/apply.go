package main

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/applyconfigurations"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// fields says which fields each type has, and which keys tell the entries of its lists apart.
var fields = applyconfigurations.NewTypeConverter(scheme)

// apply makes the object, as "creator" does by a create, and then lets "applier" apply one configuration after the other, the last of them
// as the question says by force. What comes out is shown with its managed fields, without their times.
func apply(asked *question) (*answer, error) {
	strategy := strategies[schema.GroupResource{Group: asked.Group, Resource: asked.Resource}]
	object, _, err := internalOf(asked)
	if err != nil {
		return nil, err
	}
	if object == nil || strategy == nil {
		return unanswered("no such kind")
	}
	var reset map[fieldpath.APIVersion]fieldpath.Filter
	if resetting, ok := strategy.(rest.ResetFieldsStrategy); ok {
		reset = fieldpath.NewExcludeFilterSetMap(resetting.GetResetFields())
	}
	hub := schema.GroupVersion{Group: asked.Group, Version: runtime.APIVersionInternal}
	manager, err := managedfields.NewDefaultFieldManager(fields, scheme, scheme, scheme, asked.gvk(), hub, "", reset)
	if err != nil {
		return unanswered("%v", err)
	}
	empty, err := scheme.New(asked.gvk())
	if err != nil {
		return unanswered("no such kind")
	}
	object = manager.UpdateNoErrors(empty, object, "creator")
	for index, text := range asked.Configurations {
		configuration := &unstructured.Unstructured{}
		if err := json.Unmarshal(text, &configuration.Object); err != nil {
			return nil, err
		}
		configuration.SetGroupVersionKind(asked.gvk())
		object, err = manager.Apply(object, configuration, "applier", asked.Force && index+1 == len(asked.Configurations))
		if err != nil && isUnknown(err.Error()) {
			return unanswered("%v", err)
		}
		if err != nil {
			return nil, err
		}
	}
	versioned, err := scheme.ConvertToVersion(object, asked.gvk().GroupVersion())
	if err != nil {
		return nil, err
	}
	accessor, err := meta.Accessor(versioned)
	if err != nil {
		return nil, err
	}
	managers := accessor.GetManagedFields()
	for index := range managers {
		managers[index].Time = nil
	}
	accessor.SetManagedFields(managers)
	written, err := text(versioned)
	return &answer{Object: written}, err
}

// isUnknown tells types that the server knows from its OpenAPI, which is not at hand, and objects whose entries cannot be told apart: those
// were made without managed fields, and an internal error is no answer.
func isUnknown(why string) bool {
	return strings.Contains(why, "no type found matching") || strings.Contains(why, "failed to create manager for existing fields")
}
