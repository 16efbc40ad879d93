package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/registry/rest"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	fwk "k8s.io/kube-scheduler/framework"

	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	configscheme "k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/validation"
	internalcache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/defaultpreemption"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/feature"
	"k8s.io/kubernetes/pkg/scheduler/framework/preemption"
	schedutil "k8s.io/kubernetes/pkg/scheduler/util"
)

// situation is the object of a question about scheduling: what a cluster holds, and the pod that a node is looked for.
type situation struct {
	// A KubeSchedulerConfiguration; the default profile without.
	Configuration json.RawMessage `json:"configuration"`

	Nodes      []*corev1.Node                  `json:"nodes"`
	Namespaces []*corev1.Namespace             `json:"namespaces"`
	Services   []*corev1.Service               `json:"services"`
	Budgets    []*policyv1.PodDisruptionBudget `json:"budgets"`
	Pods       []*corev1.Pod                   `json:"pods"`
	Pod        *corev1.Pod                     `json:"pod"`
}

// placing is what the scheduler makes of a situation.
type placing struct {
	// Why no node suits, if none does; what preemption found is not in it but in the nodes.
	Message string `json:"message,omitempty"`
	// In the order of the question.
	Nodes []*judgement `json:"nodes"`
}

// judgement is what the scheduler makes of one node.
type judgement struct {
	// The plugin that rejects it, why, and whether evicting pods could not help.
	Plugin  string   `json:"plugin,omitempty"`
	Reasons []string `json:"reasons,omitempty"`
	Final   bool     `json:"final,omitempty"`
	// What each plugin gives it, weighted, without those that give nothing.
	Scores map[string]int64 `json:"scores,omitempty"`
	// Who would be evicted, against how many budgets, and whether no other node costs less.
	Victims    []string `json:"victims,omitempty"`
	Violations int64    `json:"violations,omitempty"`
	Best       bool     `json:"best,omitempty"`
}

// How often chance decides between two nodes before they are held to be of different worth.
const draws = 24

func schedule(asked *question) (*answer, error) {
	told := &situation{}
	if err := json.Unmarshal(asked.Object, told); err != nil {
		return nil, err
	}
	if why := told.settle(); why != "" {
		return unanswered("%s", why)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	bench, err := told.bench(ctx)
	if err != nil {
		return nil, err
	}
	found, err := bench.place(ctx)
	if err != nil {
		return nil, err
	}
	written, err := json.Marshal(found)
	return &answer{Object: written}, err
}

// settle fills in what an API server fills in, and says what of the situation could not be: what it would refuse, or what is there twice.
func (told *situation) settle() string {
	if told.Pod == nil || told.Pod.Spec.NodeName != "" {
		return "no pending pod"
	}
	nodes, pods := map[string]bool{}, map[string]bool{}
	for _, node := range told.Nodes {
		if why := stored("nodes", "Node", node); why != "" || nodes[node.Name] {
			return "node " + node.Name + ": " + why
		}
		nodes[node.Name] = true
	}
	for _, namespace := range told.Namespaces {
		if why := stored("namespaces", "Namespace", namespace); why != "" {
			return "namespace: " + why
		}
	}
	for _, service := range told.Services {
		scheme.Default(service)
	}
	ports := map[string]bool{}
	var there []*corev1.Pod
	for _, pod := range append(told.Pods[:len(told.Pods):len(told.Pods)], told.Pod) {
		if why := stored("pods", "Pod", pod); why != "" || pods[pod.Namespace+"/"+pod.Name] {
			return "pod " + pod.Name + ": " + why
		}
		pods[pod.Namespace+"/"+pod.Name] = true
		pod.UID = types.UID(pod.Namespace + "/" + pod.Name)
		if pod.Spec.NodeName != "" && !nodes[pod.Spec.NodeName] {
			return "pod " + pod.Name + ": its node is not there"
		}
		if pod != told.Pod && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			there = append(there, pod)
			for _, port := range schedutil.GetHostPorts(pod) {
				key := fmt.Sprint(pod.Spec.NodeName, port.Protocol, port.HostPort)
				if pod.Spec.NodeName != "" && ports[key] {
					return "two pods of a node have the same port of it"
				}
				ports[key] = true
			}
		}
	}
	told.Pods = there
	return ""
}

// stored fills in an object's defaults, and says why an API server would not store it.
func stored(resource, kind string, object runtime.Object) string {
	scheme.Default(object)
	internal, err := scheme.ConvertToVersion(object.DeepCopyObject(), runtime.InternalGroupVersioner)
	if err != nil {
		return err.Error()
	}
	asked := &question{Version: "v1", Kind: kind, Resource: resource}
	strategy := strategies[schema.GroupResource{Resource: resource}]
	ctx := contextOf(asked, internal, strategy.NamespaceScoped())
	for _, wrong := range rest.ValidateCreate(ctx, internal, strategy) {
		return wrong.Error()
	}
	return ""
}

// bench is a stock scheduler that sees a situation.
type bench struct {
	told      *situation
	scheduler *scheduler.Scheduler
	profile   framework.Framework
	snapshot  *internalcache.Snapshot
}

func (told *situation) bench(ctx context.Context) (*bench, error) {
	client := fake.NewSimpleClientset()
	factory := informers.NewSharedInformerFactory(client, 0)
	var placed []*corev1.Pod
	for _, pod := range told.Pods {
		if pod.Spec.NodeName != "" {
			placed = append(placed, pod)
		}
	}
	snapshot := internalcache.NewSnapshot(placed, told.Nodes)
	options := []scheduler.Option{scheduler.WithNodeInfoSnapshot(snapshot)}
	if len(told.Configuration) > 0 {
		configured, err := configured(told.Configuration)
		if err != nil {
			return nil, err
		}
		options = append(options, scheduler.WithProfiles(configured.Profiles...), scheduler.WithComponentConfigVersion(configured.APIVersion))
	}
	recorders := func(string) events.EventRecorderLogger { return &events.FakeRecorder{} }
	stock, err := scheduler.New(ctx, client, factory, nil, recorders, options...)
	if err != nil {
		return nil, err
	}
	core := factory.Core().V1()
	fill(core.Nodes().Informer(), told.Nodes)
	fill(core.Namespaces().Informer(), told.Namespaces)
	fill(core.Services().Informer(), told.Services)
	fill(core.Pods().Informer(), append(told.Pods[:len(told.Pods):len(told.Pods)], told.Pod))
	fill(factory.Policy().V1().PodDisruptionBudgets().Informer(), told.Budgets)
	for _, pod := range told.Pods {
		// Who waits with a nomination keeps its room; the queue knows what it is.
		if pod.Spec.NodeName == "" {
			stock.SchedulingQueue.Add(ctx, pod)
		}
	}
	profile, ok := stock.Profiles[told.Pod.Spec.SchedulerName]
	if !ok {
		return nil, errors.New("no profile is the pod's")
	}
	return &bench{told: told, scheduler: stock, profile: profile, snapshot: snapshot}, nil
}

// configured reads a configuration as kube-scheduler reads its file.
func configured(text json.RawMessage) (*config.KubeSchedulerConfiguration, error) {
	object, kind, err := configscheme.Codecs.UniversalDecoder().Decode(text, nil, nil)
	if err != nil {
		return nil, err
	}
	read, ok := object.(*config.KubeSchedulerConfiguration)
	if !ok {
		return nil, fmt.Errorf("couldn't decode as KubeSchedulerConfiguration, got %s: ", kind)
	}
	read.APIVersion = kind.GroupVersion().String()
	if wrong := validation.ValidateKubeSchedulerConfiguration(read); wrong != nil {
		return nil, wrong
	}
	return read, nil
}

// preempts says whether the profile evicts pods.
func (b *bench) preempts() bool {
	return slices.ContainsFunc(b.profile.ListPlugins().PostFilter.Enabled, func(plugin config.Plugin) bool {
		return plugin.Name == defaultpreemption.Name
	})
}

func fill[T any](informer cache.SharedIndexInformer, objects []T) {
	for _, object := range objects {
		must(informer.GetStore().Add(object))
	}
}

func (b *bench) place(ctx context.Context) (*placing, error) {
	pod := b.told.Pod
	info, err := framework.NewPodInfo(pod)
	if err != nil {
		return nil, err
	}
	state := framework.NewCycleState()
	_, err = b.scheduler.SchedulePod(ctx, b.profile, state, &framework.QueuedPodInfo{PodInfo: info})
	var unfit *framework.FitError
	switch {
	case errors.As(err, &unfit):
		return b.unfit(ctx, state, unfit)
	case errors.Is(err, scheduler.ErrNoNodesAvailable):
		return &placing{Message: err.Error()}, nil
	case err != nil:
		return nil, err
	}
	return b.fit(ctx)
}

// fit asks about every node, and not only as many as are wanted.
func (b *bench) fit(ctx context.Context) (*placing, error) {
	pod, state, found := b.told.Pod, framework.NewCycleState(), &placing{}
	allowed, status, named := b.profile.RunPreFilterPlugins(ctx, state, pod)
	if !status.IsSuccess() {
		return nil, status.AsError()
	}
	var feasible []fwk.NodeInfo
	var places []*judgement
	for _, node := range b.told.Nodes {
		place := &judgement{}
		found.Nodes = append(found.Nodes, place)
		// The node that the pod is nominated to is tried first, whether it is among these or not.
		if !allowed.AllNodes() && !allowed.NodeNames.Has(node.Name) && node.Name != pod.Status.NominatedNodeName {
			place.Final = true
			place.Reasons = []string{fmt.Sprintf("node(s) didn't satisfy plugin(s) %v", named.UnsortedList())}
			continue
		}
		info, err := b.snapshot.Get(node.Name)
		if err != nil {
			return nil, err
		}
		status := b.profile.RunFilterPluginsWithNominatedPods(ctx, state, pod, info)
		if !status.IsSuccess() {
			place.rejected(status)
			continue
		}
		feasible, places = append(feasible, info), append(places, place)
	}
	if status := b.profile.RunPreScorePlugins(ctx, state, pod, feasible); !status.IsSuccess() {
		return nil, status.AsError()
	}
	scores, status := b.profile.RunScorePlugins(ctx, state, pod, feasible)
	if !status.IsSuccess() {
		return nil, status.AsError()
	}
	for i, place := range places {
		place.Scores = map[string]int64{"total": scores[i].TotalScore}
		for _, score := range scores[i].Scores {
			if score.Score != 0 {
				place.Scores[score.Name] = score.Score
			}
		}
	}
	return found, nil
}

func (place *judgement) rejected(status *fwk.Status) {
	place.Plugin = status.Plugin()
	place.Reasons = status.Reasons()
	place.Final = status.Code() == fwk.UnschedulableAndUnresolvable
	sort.Strings(place.Reasons)
}

// unfit says why no node suits, and what preemption would do.
func (b *bench) unfit(ctx context.Context, state fwk.CycleState, unfit *framework.FitError) (*placing, error) {
	statuses, found := unfit.Diagnosis.NodeToStatus, &placing{}
	var resolvable []fwk.NodeInfo
	places := map[string]*judgement{}
	for _, node := range b.told.Nodes {
		place := &judgement{}
		status := statuses.Get(node.Name)
		place.rejected(status)
		found.Nodes = append(found.Nodes, place)
		places[node.Name] = place
		if status.Code() == fwk.Unschedulable {
			info, err := b.snapshot.Get(node.Name)
			if err != nil {
				return nil, err
			}
			resolvable = append(resolvable, info)
		}
	}
	evaluator, err := defaultpreemption.New(ctx, &config.DefaultPreemptionArgs{
		MinCandidateNodesPercentage: 10,
		MinCandidateNodesAbsolute:   100,
	}, b.profile, feature.NewSchedulerFeaturesFromGates(utilfeature.DefaultFeatureGate))
	if err != nil {
		return nil, err
	}
	if eligible, _ := evaluator.PodEligibleToPreemptOthers(ctx, b.told.Pod, statuses.Get(b.told.Pod.Status.NominatedNodeName)); eligible && len(resolvable) > 0 && b.preempts() {
		all := int32(len(resolvable)) + 1
		candidates, _, err := evaluator.Evaluator.DryRunPreemption(ctx, state, b.told.Pod, resolvable, b.told.Budgets, 0, all)
		if err != nil {
			return nil, err
		}
		b.price(ctx, evaluator, candidates, places)
	}
	_, status := b.profile.RunPostFilterPlugins(ctx, state, b.told.Pod, statuses)
	if !status.IsSuccess() {
		unfit.Diagnosis.PostFilterMsg = status.Message()
	}
	found.Message = unfit.Error()
	return found, nil
}

// price says of each candidate who would be evicted, and which candidates nothing is better than.
func (b *bench) price(ctx context.Context, evaluator *defaultpreemption.DefaultPreemption, candidates []preemption.Candidate, places map[string]*judgement) {
	for _, candidate := range candidates {
		place := places[candidate.Name()]
		for _, victim := range candidate.Victims().Pods {
			place.Victims = append(place.Victims, victim.Namespace+"/"+victim.Name)
		}
		sort.Strings(place.Victims)
		place.Violations = candidate.Victims().NumPDBViolations
	}
	if len(candidates) == 0 {
		return
	}
	best := evaluator.Evaluator.SelectCandidate(ctx, candidates)
	places[best.Name()].Best = true
	for _, other := range candidates {
		for range draws {
			if evaluator.Evaluator.SelectCandidate(ctx, []preemption.Candidate{best, other}).Name() == other.Name() {
				places[other.Name()].Best = true
				break
			}
		}
	}
}
