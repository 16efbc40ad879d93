package main

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/clock"

	"k8s.io/apiextensions-apiserver/pkg/registry/customresourcedefinition"
	"k8s.io/kube-aggregator/pkg/registry/apiservice"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/mutatingadmissionpolicy"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/mutatingadmissionpolicybinding"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/mutatingwebhookconfiguration"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/validatingadmissionpolicy"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/validatingadmissionpolicybinding"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/validatingwebhookconfiguration"
	"k8s.io/kubernetes/pkg/registry/apiserverinternal/storageversion"
	"k8s.io/kubernetes/pkg/registry/apps/controllerrevision"
	"k8s.io/kubernetes/pkg/registry/apps/daemonset"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/apps/replicaset"
	"k8s.io/kubernetes/pkg/registry/apps/statefulset"
	"k8s.io/kubernetes/pkg/registry/autoscaling/horizontalpodautoscaler"
	"k8s.io/kubernetes/pkg/registry/batch/cronjob"
	"k8s.io/kubernetes/pkg/registry/batch/job"
	"k8s.io/kubernetes/pkg/registry/certificates/certificates"
	"k8s.io/kubernetes/pkg/registry/certificates/clustertrustbundle"
	"k8s.io/kubernetes/pkg/registry/certificates/podcertificaterequest"
	"k8s.io/kubernetes/pkg/registry/coordination/lease"
	"k8s.io/kubernetes/pkg/registry/coordination/leasecandidate"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/kubernetes/pkg/registry/core/endpoint"
	"k8s.io/kubernetes/pkg/registry/core/event"
	"k8s.io/kubernetes/pkg/registry/core/limitrange"
	"k8s.io/kubernetes/pkg/registry/core/namespace"
	"k8s.io/kubernetes/pkg/registry/core/node"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolume"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolumeclaim"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/registry/core/podtemplate"
	"k8s.io/kubernetes/pkg/registry/core/replicationcontroller"
	"k8s.io/kubernetes/pkg/registry/core/resourcequota"
	"k8s.io/kubernetes/pkg/registry/core/secret"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/core/serviceaccount"
	"k8s.io/kubernetes/pkg/registry/discovery/endpointslice"
	"k8s.io/kubernetes/pkg/registry/flowcontrol/flowschema"
	"k8s.io/kubernetes/pkg/registry/flowcontrol/prioritylevelconfiguration"
	"k8s.io/kubernetes/pkg/registry/lifecycle/eviction"
	"k8s.io/kubernetes/pkg/registry/lifecycle/evictionrequest"
	"k8s.io/kubernetes/pkg/registry/networking/ingress"
	"k8s.io/kubernetes/pkg/registry/networking/ingressclass"
	"k8s.io/kubernetes/pkg/registry/networking/ipaddress"
	"k8s.io/kubernetes/pkg/registry/networking/networkpolicy"
	"k8s.io/kubernetes/pkg/registry/networking/servicecidr"
	"k8s.io/kubernetes/pkg/registry/node/runtimeclass"
	"k8s.io/kubernetes/pkg/registry/policy/poddisruptionbudget"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrole"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrolebinding"
	"k8s.io/kubernetes/pkg/registry/rbac/role"
	"k8s.io/kubernetes/pkg/registry/rbac/rolebinding"
	"k8s.io/kubernetes/pkg/registry/resource/deviceclass"
	"k8s.io/kubernetes/pkg/registry/resource/devicetaintrule"
	"k8s.io/kubernetes/pkg/registry/resource/resourceclaim"
	"k8s.io/kubernetes/pkg/registry/resource/resourceclaimtemplate"
	"k8s.io/kubernetes/pkg/registry/resource/resourcepoolstatusrequest"
	"k8s.io/kubernetes/pkg/registry/resource/resourceslice"
	"k8s.io/kubernetes/pkg/registry/scheduling/compositepodgroup"
	"k8s.io/kubernetes/pkg/registry/scheduling/podgroup"
	"k8s.io/kubernetes/pkg/registry/scheduling/priorityclass"
	"k8s.io/kubernetes/pkg/registry/scheduling/workload"
	"k8s.io/kubernetes/pkg/registry/storage/csidriver"
	"k8s.io/kubernetes/pkg/registry/storage/csinode"
	"k8s.io/kubernetes/pkg/registry/storage/csistoragecapacity"
	"k8s.io/kubernetes/pkg/registry/storage/storageclass"
	"k8s.io/kubernetes/pkg/registry/storage/volumeattachment"
	"k8s.io/kubernetes/pkg/registry/storage/volumeattributesclass"
	"k8s.io/kubernetes/pkg/registry/storagemigration/storagemigration"
)

// strategies says how the API server makes a new object of each resource. Those that could ask an authorizer or another object are given
// none: what they would ask is not a property of the object.
var strategies = map[schema.GroupResource]rest.RESTCreateStrategy{
	{Resource: "configmaps"}:             configmap.Strategy,
	{Resource: "endpoints"}:              endpoint.Strategy,
	{Resource: "events"}:                 event.Strategy,
	{Resource: "limitranges"}:            limitrange.Strategy,
	{Resource: "namespaces"}:             namespace.Strategy,
	{Resource: "nodes"}:                  node.Strategy,
	{Resource: "persistentvolumeclaims"}: persistentvolumeclaim.Strategy,
	{Resource: "persistentvolumes"}:      persistentvolume.Strategy,
	{Resource: "pods"}:                   pod.Strategy,
	{Resource: "podtemplates"}:           podtemplate.Strategy,
	{Resource: "replicationcontrollers"}: replicationcontroller.Strategy,
	{Resource: "resourcequotas"}:         resourcequota.Strategy,
	{Resource: "secrets"}:                secret.Strategy,
	{Resource: "serviceaccounts"}:        serviceaccount.Strategy,
	{Resource: "services"}:               service.Strategy,

	{Group: "admissionregistration.k8s.io", Resource: "mutatingadmissionpolicies"}:         mutatingadmissionpolicy.NewStrategy(nil, nil),
	{Group: "admissionregistration.k8s.io", Resource: "mutatingadmissionpolicybindings"}:   mutatingadmissionpolicybinding.NewStrategy(nil, nil, nil),
	{Group: "admissionregistration.k8s.io", Resource: "mutatingwebhookconfigurations"}:     mutatingwebhookconfiguration.Strategy,
	{Group: "admissionregistration.k8s.io", Resource: "validatingadmissionpolicies"}:       validatingadmissionpolicy.NewStrategy(nil, nil),
	{Group: "admissionregistration.k8s.io", Resource: "validatingadmissionpolicybindings"}: validatingadmissionpolicybinding.NewStrategy(nil, nil, nil),
	{Group: "admissionregistration.k8s.io", Resource: "validatingwebhookconfigurations"}:   validatingwebhookconfiguration.Strategy,

	{Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions"}: customresourcedefinition.NewStrategy(scheme),
	{Group: "apiregistration.k8s.io", Resource: "apiservices"}:             apiservice.NewStrategy(scheme),

	{Group: "apps", Resource: "controllerrevisions"}: controllerrevision.Strategy,
	{Group: "apps", Resource: "daemonsets"}:          daemonset.Strategy,
	{Group: "apps", Resource: "deployments"}:         deployment.Strategy,
	{Group: "apps", Resource: "replicasets"}:         replicaset.Strategy,
	{Group: "apps", Resource: "statefulsets"}:        statefulset.Strategy,

	{Group: "autoscaling", Resource: "horizontalpodautoscalers"}: horizontalpodautoscaler.Strategy,
	{Group: "batch", Resource: "cronjobs"}:                       cronjob.Strategy,
	{Group: "batch", Resource: "jobs"}:                           job.Strategy,

	{Group: "certificates.k8s.io", Resource: "certificatesigningrequests"}: certificates.Strategy,
	{Group: "certificates.k8s.io", Resource: "clustertrustbundles"}:        clustertrustbundle.Strategy,
	{Group: "certificates.k8s.io", Resource: "podcertificaterequests"}:     podcertificaterequest.NewStrategy(),

	{Group: "coordination.k8s.io", Resource: "leasecandidates"}: leasecandidate.Strategy,
	{Group: "coordination.k8s.io", Resource: "leases"}:          lease.Strategy,

	{Group: "discovery.k8s.io", Resource: "endpointslices"}: endpointslice.Strategy,
	{Group: "events.k8s.io", Resource: "events"}:            event.Strategy,

	{Group: "flowcontrol.apiserver.k8s.io", Resource: "flowschemas"}:                 flowschema.Strategy,
	{Group: "flowcontrol.apiserver.k8s.io", Resource: "prioritylevelconfigurations"}: prioritylevelconfiguration.Strategy,

	{Group: "internal.apiserver.k8s.io", Resource: "storageversions"}: storageversion.Strategy,
	{Group: "lifecycle.k8s.io", Resource: "evictionrequests"}:         evictionrequest.NewStrategy(),
	{Group: "lifecycle.k8s.io", Resource: "evictions"}:                eviction.NewStrategy(clock.RealClock{}),

	{Group: "networking.k8s.io", Resource: "ingressclasses"}:  ingressclass.Strategy,
	{Group: "networking.k8s.io", Resource: "ingresses"}:       ingress.Strategy,
	{Group: "networking.k8s.io", Resource: "ipaddresses"}:     ipaddress.Strategy,
	{Group: "networking.k8s.io", Resource: "networkpolicies"}: networkpolicy.Strategy,
	{Group: "networking.k8s.io", Resource: "servicecidrs"}:    servicecidr.Strategy,

	{Group: "node.k8s.io", Resource: "runtimeclasses"}:  runtimeclass.Strategy,
	{Group: "policy", Resource: "poddisruptionbudgets"}: poddisruptionbudget.Strategy,

	{Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"}: clusterrolebinding.Strategy,
	{Group: "rbac.authorization.k8s.io", Resource: "clusterroles"}:        clusterrole.Strategy,
	{Group: "rbac.authorization.k8s.io", Resource: "rolebindings"}:        rolebinding.Strategy,
	{Group: "rbac.authorization.k8s.io", Resource: "roles"}:               role.Strategy,

	{Group: "resource.k8s.io", Resource: "deviceclasses"}:              deviceclass.Strategy,
	{Group: "resource.k8s.io", Resource: "devicetaintrules"}:           devicetaintrule.Strategy,
	{Group: "resource.k8s.io", Resource: "resourceclaims"}:             resourceclaim.NewStrategy(nil, nil),
	{Group: "resource.k8s.io", Resource: "resourceclaimtemplates"}:     resourceclaimtemplate.NewStrategy(nil),
	{Group: "resource.k8s.io", Resource: "resourcepoolstatusrequests"}: resourcepoolstatusrequest.Strategy,
	{Group: "resource.k8s.io", Resource: "resourceslices"}:             resourceslice.Strategy,

	{Group: "scheduling.k8s.io", Resource: "compositepodgroups"}: compositepodgroup.NewStrategy(),
	{Group: "scheduling.k8s.io", Resource: "podgroups"}:          podgroup.NewStrategy(),
	{Group: "scheduling.k8s.io", Resource: "priorityclasses"}:    priorityclass.Strategy,
	{Group: "scheduling.k8s.io", Resource: "workloads"}:          workload.Strategy,

	{Group: "storage.k8s.io", Resource: "csidrivers"}:              csidriver.Strategy,
	{Group: "storage.k8s.io", Resource: "csinodes"}:                csinode.Strategy,
	{Group: "storage.k8s.io", Resource: "csistoragecapacities"}:    csistoragecapacity.Strategy,
	{Group: "storage.k8s.io", Resource: "storageclasses"}:          storageclass.Strategy,
	{Group: "storage.k8s.io", Resource: "volumeattachments"}:       volumeattachment.Strategy,
	{Group: "storage.k8s.io", Resource: "volumeattributesclasses"}: volumeattributesclass.Strategy,

	{Group: "storagemigration.k8s.io", Resource: "storageversionmigrations"}: storagemigration.Strategy,
}

// validate takes a new object through what the API server does with it between decoding and storing: it is prepared, then validated by
// hand-written and declared rules. The prepared object is shown as a client reads it back, in the version of the request.
func validate(asked *question) (*answer, error) {
	strategy, ok := strategies[schema.GroupResource{Group: asked.Group, Resource: asked.Resource}]
	if !ok {
		return unanswered("no strategy")
	}
	object, _, err := internalOf(asked)
	if err != nil {
		return nil, err
	}
	if object == nil {
		return unanswered("no such kind")
	}
	ctx := contextOf(asked, object, strategy.NamespaceScoped())
	strategy.PrepareForCreate(ctx, object)
	found := &answer{}
	for _, wrong := range rest.ValidateCreate(ctx, object, strategy) {
		found.Errors = append(found.Errors, wrong.Error())
	}
	if len(found.Errors) == 0 {
		found.Warnings = strategy.WarningsOnCreate(ctx, object)
		strategy.Canonicalize(object)
	}
	prepared, err := scheme.ConvertToVersion(object, asked.gvk().GroupVersion())
	if err != nil {
		return nil, err
	}
	// What is read back was defaulted once more when it was decoded.
	scheme.Default(prepared)
	found.Object, err = text(prepared)
	return found, err
}

func contextOf(asked *question, object runtime.Object, namespaced bool) context.Context {
	space := metav1.NamespaceNone
	accessor, err := meta.Accessor(object)
	if err == nil && namespaced {
		space = accessor.GetNamespace()
	}
	ctx := request.WithNamespace(request.NewContext(), space)
	return request.WithRequestInfo(ctx, &request.RequestInfo{
		IsResourceRequest: true,
		Verb:              "create",
		APIGroup:          asked.Group,
		APIVersion:        asked.Version,
		Namespace:         space,
		Resource:          asked.Resource,
	})
}
