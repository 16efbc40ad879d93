//! What the documents say, as clients read it.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::{Arc, LazyLock};

use api_types::{Resource, resources};
use serde_json::{Value, json};
use server_openapi::{Described, Documents, Form, Others, location};

static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| Documents::new(resources()));
static V2: LazyLock<Value> = LazyLock::new(|| parse(&DOCUMENTS.v2(Form::Json).bytes()));

fn parse(text: &[u8]) -> Value {
    serde_json::from_slice(text).expect("documents are JSON")
}

fn v3(name: &str) -> Value {
    parse(&DOCUMENTS.v3(name, Form::Json).expect("the document is there").bytes())
}

fn prefix(resource: &Resource) -> String {
    match resource.kind.group {
        "" => format!("api/{}", resource.kind.version),
        group => format!("apis/{group}/{}", resource.kind.version),
    }
}

/// Calls `visit` with every object within a value.
fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Value)) {
    match value {
        Value::Object(fields) => {
            visit(value);
            fields.values().for_each(|value| walk(value, visit));
        }
        Value::Array(elements) => elements.iter().for_each(|value| walk(value, visit)),
        _ => {}
    }
}

fn assert_references_resolve(name: &str, document: &Value) {
    let mut count = 0;
    walk(document, &mut |object| {
        if let Some(Value::String(reference)) = object.get("$ref") {
            let pointer = reference.strip_prefix('#').expect("references stay in the document");
            assert!(document.pointer(pointer).is_some_and(Value::is_object), "{name}: {reference}");
            count += 1;
        }
    });
    assert!(count > 0, "{name} has references");
}

#[test]
fn every_reference_resolves() {
    assert_references_resolve("v2", &V2);
    for name in DOCUMENTS.v3_names() {
        assert_references_resolve(name, &v3(name));
    }
}

#[test]
fn every_definition_is_used_once_it_is_there() {
    let mut used = BTreeSet::new();
    walk(&V2, &mut |object| {
        if let Some(Value::String(reference)) = object.get("$ref") {
            used.insert(reference.as_str());
        }
    });
    for section in ["definitions", "parameters"] {
        for name in V2[section].as_object().expect("a section").keys() {
            assert!(used.contains(format!("#/{section}/{name}").as_str()), "{name}");
        }
    }
}

#[test]
fn every_resource_has_its_paths() {
    let methods = [
        ("get", "get", true),
        ("list", "get", false),
        ("create", "post", false),
        ("update", "put", true),
        ("patch", "patch", true),
        ("delete", "delete", true),
        ("deletecollection", "delete", false),
    ];
    for resource in resources() {
        let document = v3(&prefix(resource));
        let scope = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
        let collection = format!("/{}{scope}/{}", prefix(resource), resource.plural);
        for (verb, method, is_item) in methods {
            let path = if is_item { format!("{collection}/{{name}}") } else { collection.clone() };
            let operation = &document["paths"][&path][method];
            assert_eq!(operation.is_object(), resource.verbs.contains(&verb), "{verb} {path}");
            assert_eq!(operation, &document["paths"][&path][method]);
            assert_eq!(V2["paths"][&path][method].is_object(), operation.is_object(), "{verb} {path}");
            if operation.is_object() {
                let kind = &operation["x-kubernetes-group-version-kind"];
                assert_eq!(kind["kind"], resource.kind.kind, "{verb} {path}");
                assert_eq!(kind["group"], resource.kind.group, "{verb} {path}");
            }
        }
        for subresource in resource.subresources {
            let path = format!("{collection}/{{name}}/{}", subresource.name);
            let methods = document["paths"][&path].as_object().unwrap_or_else(|| panic!("{path} is there"));
            let count = methods.keys().filter(|method| *method != "parameters").count();
            let more = if subresource.name == "proxy" { 2 } else { 0 };
            assert_eq!(count, subresource.verbs.len() + more, "{path}");
        }
    }
}

#[test]
fn operations_are_named_apart() {
    let mut names = BTreeSet::new();
    for (path, item) in V2["paths"].as_object().expect("paths") {
        for (method, operation) in
            item.as_object().expect("a path").iter().filter(|(name, _)| *name != "parameters")
        {
            let id = operation["operationId"].as_str().expect("operations have names");
            assert!(names.insert(id.to_owned()), "{method} {path}: {id} is used twice");
        }
    }
    for expected in [
        "listAppsV1DeploymentForAllNamespaces",
        "replaceRbacAuthorizationV1ClusterRole",
        "connectCoreV1GetNamespacedPodExec",
        "createCoreV1NamespacedPodEviction",
        "patchAppsV1NamespacedDeploymentScale",
        "watchCoreV1NamespacedPodList",
        "getFlowcontrolApiserverAPIGroup",
    ] {
        assert!(names.contains(expected), "{expected}");
    }
}

#[test]
fn path_parameters_are_declared() {
    for (path, item) in V2["paths"].as_object().expect("paths") {
        let declared: Vec<Value> = item["parameters"].as_array().into_iter().flatten().map(resolve).collect();
        for part in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            let found = declared
                .iter()
                .any(|one| one["in"] == "path" && one["name"] == part && one["required"] == true);
            assert!(found, "{path}: {part}");
        }
    }
}

fn resolve(parameter: &Value) -> Value {
    match parameter["$ref"].as_str() {
        Some(reference) => V2.pointer(&reference[1..]).expect("references resolve").clone(),
        None => parameter.clone(),
    }
}

/// `kubectl apply` looks for this before it asks the server to validate.
#[test]
fn patches_can_be_validated_by_the_server() {
    for name in DOCUMENTS.v3_names() {
        for (path, item) in v3(name)["paths"].as_object().expect("paths") {
            let patch = &item["patch"];
            if patch["x-kubernetes-action"] == "patch" {
                let parameters = patch["parameters"].as_array().expect("parameters");
                assert!(parameters.iter().any(|one| one["name"] == "fieldValidation"), "{path}");
                let content = patch["requestBody"]["content"].as_object().expect("a body");
                assert!(content.contains_key("application/apply-patch+yaml"), "{path}");
            }
        }
    }
}

#[test]
fn a_deployment_in_version_3() {
    let document = v3("apis/apps/v1");
    let schemas = &document["components"]["schemas"];
    let deployment = &schemas["io.k8s.api.apps.v1.Deployment"];
    assert_eq!(
        deployment["x-kubernetes-group-version-kind"],
        json!([{ "group": "apps", "kind": "Deployment", "version": "v1" }])
    );
    let metadata = "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
    assert_eq!(deployment["properties"]["metadata"]["allOf"], json!([{ "$ref": metadata }]));
    assert_eq!(deployment["properties"]["metadata"]["default"], json!({}));
    assert_eq!(deployment["properties"]["apiVersion"]["type"], "string");
    let spec = &schemas["io.k8s.api.apps.v1.DeploymentSpec"];
    assert_eq!(spec["required"], json!(["selector", "template"]));
    assert_eq!(spec["properties"]["replicas"]["format"], "int32");
    assert_eq!(spec["properties"]["strategy"]["x-kubernetes-patch-strategy"], "retainKeys");
    assert!(spec["properties"]["selector"].get("default").is_none(), "pointers have none");
    let port = &schemas["io.k8s.api.core.v1.ContainerPort"];
    assert_eq!(port["properties"]["protocol"]["default"], "TCP");
    assert_eq!(port["properties"]["containerPort"]["default"], 0);
    assert_eq!(port["required"], json!(["containerPort"]));
    let intstr = &schemas["io.k8s.apimachinery.pkg.util.intstr.IntOrString"];
    assert_eq!(intstr["format"], "int-or-string");
    assert_eq!(intstr["oneOf"], json!([{ "type": "integer" }, { "type": "string" }]));
    let quantities = &schemas["io.k8s.api.core.v1.ResourceRequirements"]["properties"]["limits"];
    assert_eq!(
        quantities["additionalProperties"],
        json!({ "$ref": "#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity" })
    );
    let selector = &schemas["io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"];
    assert_eq!(selector["x-kubernetes-map-type"], "atomic");
}

#[test]
fn version_2_has_no_defaults_and_bare_references() {
    let spec = &V2["definitions"]["io.k8s.api.apps.v1.DeploymentSpec"]["properties"];
    assert_eq!(spec["template"]["$ref"], "#/definitions/io.k8s.api.core.v1.PodTemplateSpec");
    assert!(spec["template"]["description"].is_string());
    let intstr = &V2["definitions"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"];
    assert_eq!((&intstr["type"], &intstr["format"]), (&json!("string"), &json!("int-or-string")));
    walk(&V2["definitions"], &mut |object| {
        let is_schema = object.get("type").is_some_and(Value::is_string);
        assert!(
            !is_schema || object.get("default").is_none_or(|default| default.get("description").is_some())
        );
    });
}

#[test]
fn lists_say_how_they_are_merged() {
    let core = v3("api/v1");
    let schemas = &core["components"]["schemas"];
    let containers = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
    assert_eq!(containers["x-kubernetes-list-type"], "map");
    assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
    assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    assert_eq!(containers["x-kubernetes-patch-strategy"], "merge");
    let ports = &schemas["io.k8s.api.core.v1.ServiceSpec"]["properties"]["ports"];
    assert_eq!(ports["x-kubernetes-list-map-keys"], json!(["port", "protocol"]));
    assert_eq!(ports["x-kubernetes-patch-merge-key"], "port");
    let volumes = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["volumes"];
    assert_eq!(volumes["x-kubernetes-patch-strategy"], "merge,retainKeys");
    let finalizers = &schemas["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"]["properties"]["finalizers"];
    assert_eq!(finalizers["x-kubernetes-list-type"], "set");
}

#[test]
fn what_kubectl_explains_is_described() {
    let definitions = V2["definitions"].as_object().expect("definitions");
    let (mut described, mut all, mut bare) = (0, 0, Vec::new());
    for (name, definition) in definitions {
        if definition.get("description").is_none() {
            bare.push(name.as_str());
        }
        for property in
            definition["properties"].as_object().into_iter().flat_map(|properties| properties.values())
        {
            all += 1;
            described += usize::from(property.get("description").is_some());
        }
    }
    // The crate that the descriptions come from does not know what metrics-server serves.
    let undescribed = [
        "io.k8s.apimachinery.pkg.apis.meta.v1.Duration",
        "io.k8s.metrics.pkg.apis.metrics.v1beta1.ContainerMetrics",
        "io.k8s.metrics.pkg.apis.metrics.v1beta1.NodeMetrics",
        "io.k8s.metrics.pkg.apis.metrics.v1beta1.PodMetrics",
    ];
    assert_eq!(bare, undescribed);
    assert!(described * 100 > all * 95, "{described} of {all} fields");
    let template = &definitions["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["template"];
    let text = template["description"].as_str().expect("a description");
    assert!(text.starts_with("Template describes the pods that will be created."), "{text}");
    // The fields of an inlined type are described where they are written.
    let volume = &definitions["io.k8s.api.core.v1.Volume"]["properties"]["hostPath"];
    assert!(volume["description"].is_string());
}

#[test]
fn types_of_every_group_say_so() {
    let delete = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
    let apps = v3("apis/apps/v1");
    let kinds = &apps["components"]["schemas"][delete]["x-kubernetes-group-version-kind"];
    let expected = json!([
        { "group": "", "kind": "DeleteOptions", "version": "v1" },
        { "group": "apps", "kind": "DeleteOptions", "version": "v1" },
    ]);
    assert_eq!(kinds, &expected);
    let everywhere = V2["definitions"][delete]["x-kubernetes-group-version-kind"].as_array().map(Vec::len);
    assert!(everywhere > Some(20));
}

#[test]
fn the_index_leads_to_every_document() {
    let index = parse(&DOCUMENTS.v3_index().bytes());
    let paths = index["paths"].as_object().expect("paths");
    assert_eq!(paths.len(), DOCUMENTS.v3_names().count());
    for name in ["api", "api/v1", "apis", "apis/apps", "apis/apps/v1", "version"] {
        let document = DOCUMENTS.v3(name, Form::Json).expect("the document is there");
        assert_eq!(paths[name]["serverRelativeURL"], location(name, document.hash()));
        assert_eq!(document.etag(), format!("\"{}\"", document.hash()));
        assert_eq!(document.hash().len(), 128);
        let proto = DOCUMENTS.v3(name, Form::Proto).expect("the document is there");
        assert_eq!(proto.hash(), document.hash());
        assert_ne!(proto.bytes(), document.bytes());
    }
    assert!(DOCUMENTS.v3("apis/apps/v2", Form::Json).is_none());
}

#[test]
fn documents_say_the_same_each_time() {
    let again = Documents::new(resources());
    assert_eq!(again.v2(Form::Json).hash(), DOCUMENTS.v2(Form::Json).hash());
    assert_eq!(again.v3_index().hash(), DOCUMENTS.v3_index().hash());
    // Whether a document was asked for before the index makes no difference.
    let other = Documents::new(resources());
    let first = other.v3("api/v1", Form::Proto).expect("the document is there").hash().to_owned();
    assert_eq!(Some(first.as_str()), DOCUMENTS.v3("api/v1", Form::Json).map(|document| document.hash()));
}

#[test]
fn documents_are_kept_compressed() {
    let document = DOCUMENTS.v2(Form::Json);
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&*document.gzip()).read_to_end(&mut text).expect("it is gzip");
    assert_eq!(text, document.bytes());
    assert_eq!(text.len(), document.length());
    assert!(document.gzip().len() * 4 < text.len());
}

#[test]
fn only_what_is_served_is_told() {
    let stable = Documents::new(resources().iter().filter(|resource| resource.served_by_default));
    assert!(stable.v3("apis/resource.k8s.io/v1alpha3", Form::Json).is_none());
    assert!(stable.v3("apis/resource.k8s.io/v1", Form::Json).is_some());
    let v2 = parse(&stable.v2(Form::Json).bytes());
    assert!(v2["definitions"].get("io.k8s.api.resource.v1alpha3.DeviceTaint").is_none());
}

#[test]
fn values_are_told_in_order_and_in_the_description() {
    let core = v3("api/v1");
    let schemas = &core["components"]["schemas"];
    let policy = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["restartPolicy"];
    assert_eq!(policy["enum"], json!(["Always", "Never", "OnFailure"]));
    let text = policy["description"].as_str().expect("a description");
    assert!(
        text.ends_with("\n\nPossible enum values:\n - `\"Always\"`\n - `\"Never\"`\n - `\"OnFailure\"`"),
        "{text}"
    );
    let claim = &schemas["io.k8s.api.core.v1.PersistentVolumeClaimStatus"]["properties"];
    let modes = json!(["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]);
    assert_eq!(claim["accessModes"]["items"]["enum"], modes);
    assert_eq!(
        claim["allocatedResourceStatuses"]["additionalProperties"]["enum"][0],
        "ControllerResizeInProgress"
    );
    let rule = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ValidationRule";
    assert_eq!(V2["definitions"][rule]["properties"]["reason"].get("enum"), None);
}

#[test]
fn markers_of_single_types_are_told() {
    let core = v3("api/v1");
    let schemas = &core["components"]["schemas"];
    let union = json!([{"discriminator": "type", "fields-to-discriminateBy": {"localhostProfile": "LocalhostProfile"}}]);
    assert_eq!(schemas["io.k8s.api.core.v1.SeccompProfile"]["x-kubernetes-unions"], union);
    let disk = &schemas["io.k8s.api.core.v1.AzureDiskVolumeSource"]["properties"];
    assert_eq!(
        (&disk["kind"]["default"], &disk["cachingMode"]["default"]),
        (&json!("Shared"), &json!("ReadWrite"))
    );
    assert_eq!(V2["definitions"]["io.k8s.api.events.v1.Event"]["required"], json!(["eventTime"]));
    let budget = &V2["definitions"]["io.k8s.api.policy.v1.PodDisruptionBudgetSpec"]["properties"];
    assert_eq!(budget["selector"]["x-kubernetes-patch-strategy"], "replace");
}

#[test]
fn lists_and_events_of_watches_are_described() {
    for name in ["io.k8s.api.core.v1.PodList", "io.k8s.api.apps.v1.DeploymentList"] {
        let list = &V2["definitions"][name]["properties"];
        assert!(["items", "metadata"].iter().all(|field| list[field]["description"].is_string()), "{name}");
    }
    let event = &V2["definitions"]["io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent"]["properties"];
    assert!(event["object"]["description"].is_string());
}

#[test]
fn a_server_without_version_3_is_described_by_what_it_says_in_version_2() {
    let said = |title: &str| {
        Arc::new(json!({
            "info": {"title": title, "version": "v1"},
            "paths": {"/apis/shop/v1/fruits": {"get": {"responses": {}}}},
            "definitions": {"Fruit": {"type": "object"}},
        }))
    };
    let (mut others, source) = (Others::default(), said("Shop"));
    others.v3.insert("apis/shop/v1".to_owned(), Described::InV2(Arc::clone(&source)));
    others.v3.insert("apis/batch/v1".to_owned(), Described::Nowhere);
    let documents = DOCUMENTS.with_others(others.clone());
    let index = parse(&documents.v3_index().bytes());
    let document = documents.v3("apis/shop/v1", Form::Json).expect("it is there");
    assert_eq!(
        index["paths"]["apis/shop/v1"]["serverRelativeURL"],
        location("apis/shop/v1", document.hash())
    );
    assert_eq!(parse(&document.bytes())["components"]["schemas"]["Fruit"]["type"], "object");
    assert!(documents.v3("apis/batch/v1", Form::Json).is_none(), "it is another server's");
    let again = documents.with_others(others.clone());
    let same = again.v3("apis/shop/v1", Form::Json).expect("it is there");
    assert!(std::ptr::eq(document, same), "it is not made anew");
    others.v3.insert("apis/shop/v1".to_owned(), Described::InV2(said("Store")));
    let next = documents.with_others(others);
    let next = next.v3("apis/shop/v1", Form::Json).expect("it is there");
    assert_ne!(document.hash(), next.hash());
}
