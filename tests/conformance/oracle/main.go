// Command oracle says what Kubernetes makes of objects: `cargo xtask oracle` builds it, asks it, and compares its answers with Knarr's.
//
// It reads questions from its standard input, one a line in JSON, and writes an answer to each in the same order. It knows no cluster but
// what a question about scheduling tells it: everything it answers comes from the functions that kube-apiserver and kube-scheduler call.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	"k8s.io/klog/v2"
)

// The longest question, in bytes.
const longest = 16 << 20

// question is what is asked: an operation on an object of a kind, whose text carries neither apiVersion nor kind.
type question struct {
	Op       string          `json:"op"`
	Group    string          `json:"group"`
	Version  string          `json:"version"`
	Kind     string          `json:"kind"`
	Resource string          `json:"resource,omitempty"`
	Object   json.RawMessage `json:"object"`
	// The strategic merge patch.
	Patch json.RawMessage `json:"patch,omitempty"`
	// What is applied, one after the other, and whether the last of them by force.
	Configurations []json.RawMessage `json:"configurations,omitempty"`
	Force          bool              `json:"force,omitempty"`
	// The group and version to convert to.
	ToGroup   string `json:"toGroup,omitempty"`
	ToVersion string `json:"toVersion,omitempty"`
}

// answer is what Kubernetes says. Unanswered means that the question makes no sense to it, with the reason.
type answer struct {
	Unanswered string `json:"unanswered,omitempty"`
	// Why there is no result.
	Error string `json:"error,omitempty"`
	// What strict decoding objects to.
	Strict []string `json:"strict,omitempty"`
	// The object's JSON to the byte.
	Text string `json:"text,omitempty"`
	// The object in protobuf, in its envelope.
	Proto []byte `json:"proto,omitempty"`
	// The object that came out.
	Object json.RawMessage `json:"object,omitempty"`
	// What is wrong with it.
	Errors []string `json:"errors,omitempty"`
	// What is unwise about it.
	Warnings []string `json:"warnings,omitempty"`
}

// The operations by their names.
var operations = map[string]func(*question) (*answer, error){
	"encode":          encode,
	"default":         fillDefaults,
	"convert":         convert,
	"validate":        validate,
	"strategic-merge": strategicMerge,
	"apply":           apply,
	"schedule":        schedule,
}

func main() {
	// Kubernetes logs where its two ways of validation disagree; the answers say it anyway.
	klog.InitFlags(nil)
	must(flag.Set("logtostderr", "false"))
	must(flag.Set("stderrthreshold", "FATAL"))
	klog.SetOutput(io.Discard)
	flag.Parse()

	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 0, 1<<20), longest)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for in.Scan() {
		must(encoder.Encode(respond(in.Bytes())))
		must(out.Flush())
	}
	must(in.Err())
}

func respond(line []byte) (result *answer) {
	// What Kubernetes panics at, its server answers with an internal error.
	defer func() {
		if reason := recover(); reason != nil {
			result = &answer{Unanswered: fmt.Sprintf("panic: %v", reason)}
		}
	}()
	asked := &question{}
	if err := json.Unmarshal(line, asked); err != nil {
		return &answer{Unanswered: err.Error()}
	}
	operation, ok := operations[asked.Op]
	if !ok {
		return &answer{Unanswered: "no such operation"}
	}
	found, err := operation(asked)
	if err != nil {
		return &answer{Error: err.Error()}
	}
	return found
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
