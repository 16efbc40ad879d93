import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.batch.v1.Job;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.LocalPortForward;
import io.fabric8.kubernetes.client.Watch;
import io.fabric8.kubernetes.client.Watcher;
import io.fabric8.kubernetes.client.WatcherException;
import io.fabric8.kubernetes.client.dsl.ExecWatch;
import io.fabric8.kubernetes.client.dsl.PodResource;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.fabric8.kubernetes.client.dsl.base.ResourceDefinitionContext;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderCallbacks;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderElectionConfigBuilder;
import io.fabric8.kubernetes.client.extended.leaderelection.resourcelock.LeaseLock;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** What is checked: each of them uses one part of the client. */
final class Checks {
    private static final String IMAGE = System.getenv("SUITE_IMAGE");
    private static final String PAGE =
            "mkdir -p /tmp/www; echo page > /tmp/www/index.html; exec busybox httpd -f -p 8080 -h /tmp/www";

    static Map<String, Suite.Check> all() {
        Map<String, Suite.Check> checks = new LinkedHashMap<>();
        checks.put("version and discovery", Checks::discovery);
        checks.put("life", Checks::life);
        checks.put("lists, selectors and pages", Checks::lists);
        checks.put("patches", Checks::patches);
        checks.put("server-side apply", Checks::apply);
        checks.put("watch", Checks::watch);
        checks.put("informer", Checks::informer);
        checks.put("leader election", Checks::leaderElection);
        checks.put("manifests", Checks::manifests);
        checks.put("custom resource", Checks::customResource);
        checks.put("logs", Checks::logs);
        checks.put("exec", Checks::exec);
        checks.put("port-forward", Checks::portForward);
        checks.put("files", Checks::files);
        checks.put("deployment", Checks::deployment);
        checks.put("job", Checks::job);
        return checks;
    }

    private static void discovery(KubernetesClient client, String namespace) {
        equal("the minor version", client.getKubernetesVersion().getMinor(), "37");
        holds("apps/v1 has deployments", client.hasApiGroup("apps", true) && client.supports(Deployment.class));
    }

    private static void life(KubernetesClient client, String namespace) {
        var maps = client.configMaps().inNamespace(namespace);
        ConfigMap made = maps.resource(map("life", "one", "1")).create();
        equal("the code of a second creation", code(() -> maps.resource(map("life", "one", "1")).create()), 409);
        maps.withName("life").edit(now -> new ConfigMapBuilder(now).addToData("two", "2").build());
        equal("the code of a stale update", code(() -> maps.resource(made).lockResourceVersion().update()), 409);
        equal("what the edit set", maps.withName("life").get().getData().get("two"), "2");
        maps.withName("life").delete();
        holds("it is gone", maps.withName("life").get() == null);
    }

    private static void lists(KubernetesClient client, String namespace) {
        var maps = client.configMaps().inNamespace(namespace);
        for (int number = 0; number < 10; number++) {
            ConfigMap one = map("item-" + number, "number", "" + number);
            one.getMetadata().setLabels(Map.of("parity", number % 2 == 0 ? "even" : "odd"));
            maps.resource(one).create();
        }
        equal("the number of odd ones", maps.withLabel("parity", "odd").list().getItems().size(), 5);
        equal("the number of a name", maps.withField("metadata.name", "item-3").list().getItems().size(), 1);
        var first = maps.withLabel("parity").list(new io.fabric8.kubernetes.api.model.ListOptionsBuilder().withLimit(3L).build());
        equal("the first page", first.getItems().size(), 3);
        holds("there is more", first.getMetadata().getContinue() != null);
        maps.withLabel("parity", "odd").delete();
        equal("what stays", maps.withLabel("parity").list().getItems().size(), 5);
    }

    private static void patches(KubernetesClient client, String namespace) {
        var maps = client.configMaps().inNamespace(namespace);
        maps.resource(map("patched", "one", "1")).create();
        var one = maps.withName("patched");
        one.patch(PatchContext.of(PatchType.JSON_MERGE), "{\"data\": {\"two\": \"2\"}}");
        one.patch(PatchContext.of(PatchType.JSON), "[{\"op\": \"remove\", \"path\": \"/data/one\"}]");
        one.patch(PatchContext.of(PatchType.STRATEGIC_MERGE), "{\"data\": {\"three\": \"3\"}}");
        equal("what is left", one.get().getData(), Map.of("two", "2", "three", "3"));
    }

    private static void apply(KubernetesClient client, String namespace) {
        var maps = client.configMaps().inNamespace(namespace);
        maps.resource(map("applied", "one", "1")).fieldManager("first").serverSideApply();
        equal("the code of another's", code(() -> maps.resource(map("applied", "one", "2")).fieldManager("second").serverSideApply()), 409);
        maps.resource(map("applied", "one", "2")).fieldManager("second").forceConflicts().serverSideApply();
        equal("the value that was forced", maps.withName("applied").get().getData().get("one"), "2");
    }

    private static void watch(KubernetesClient client, String namespace) throws Exception {
        BlockingQueue<String> seen = new LinkedBlockingQueue<>();
        var maps = client.configMaps().inNamespace(namespace);
        try (Watch ignored = maps.withLabel("watched").watch(new Watcher<ConfigMap>() {
            @Override
            public void eventReceived(Action action, ConfigMap one) {
                seen.add(action.name());
            }

            @Override
            public void onClose(WatcherException why) {
                seen.add("CLOSED");
            }
        })) {
            ConfigMap one = map("watched", "one", "1");
            one.getMetadata().setLabels(Map.of("watched", "yes"));
            maps.resource(one).create();
            equal("the first event", seen.poll(60, TimeUnit.SECONDS), "ADDED");
            maps.withName("watched").edit(now -> new ConfigMapBuilder(now).addToData("two", "2").build());
            equal("the second event", seen.poll(60, TimeUnit.SECONDS), "MODIFIED");
            maps.withName("watched").delete();
            equal("the third event", seen.poll(60, TimeUnit.SECONDS), "DELETED");
        }
    }

    private static void informer(KubernetesClient client, String namespace) throws Exception {
        var maps = client.configMaps().inNamespace(namespace);
        maps.resource(map("before", "one", "1")).create();
        BlockingQueue<String> seen = new LinkedBlockingQueue<>();
        try (SharedIndexInformer<ConfigMap> informer = maps.inform(new ResourceEventHandler<>() {
            @Override
            public void onAdd(ConfigMap one) {
                seen.add("+" + one.getMetadata().getName());
            }

            @Override
            public void onUpdate(ConfigMap before, ConfigMap now) {}

            @Override
            public void onDelete(ConfigMap one, boolean unknown) {
                seen.add("-" + one.getMetadata().getName());
            }
        })) {
            eventually("it is synced", informer::hasSynced);
            maps.resource(map("after", "one", "1")).create();
            eventually("both are seen", () -> seen.contains("+before") && seen.contains("+after"));
            holds("the cache has it", informer.getStore().getByKey(namespace + "/after") != null);
            maps.withName("before").delete();
            eventually("the deletion is seen", () -> seen.contains("-before"));
        }
    }

    private static void leaderElection(KubernetesClient client, String namespace) throws Exception {
        BlockingQueue<String> leads = new LinkedBlockingQueue<>();
        CompletableFuture<?> one = candidate(client, namespace, "one", leads);
        equal("the first leader", leads.poll(60, TimeUnit.SECONDS), "one");
        CompletableFuture<?> two = candidate(client, namespace, "two", leads);
        one.cancel(true);
        equal("the second leader", leads.poll(60, TimeUnit.SECONDS), "two");
        two.cancel(true);
    }

    private static CompletableFuture<?> candidate(KubernetesClient client, String namespace, String name, BlockingQueue<String> leads) {
        return client.leaderElector()
                .withConfig(new LeaderElectionConfigBuilder()
                        .withName("suite")
                        .withLock(new LeaseLock(namespace, "leader", name))
                        .withLeaseDuration(Duration.ofSeconds(8))
                        .withRenewDeadline(Duration.ofSeconds(6))
                        .withRetryPeriod(Duration.ofSeconds(1))
                        .withReleaseOnCancel(true)
                        .withLeaderCallbacks(new LeaderCallbacks(() -> leads.add(name), () -> {}, leader -> {}))
                        .build())
                .build()
                .start();
    }

    private static void manifests(KubernetesClient client, String namespace) {
        String text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-file}\ndata: {a: b}\n---\n"
                + "apiVersion: v1\nkind: Service\nmetadata: {name: from-file}\nspec: {ports: [{port: 80}]}\n";
        List<HasMetadata> made = client.load(stream(text)).inNamespace(namespace).create();
        equal("how many were made", made.size(), 2);
        Service service = client.services().inNamespace(namespace).withName("from-file").get();
        holds("the service has an address", service.getSpec().getClusterIP() != null);
        client.load(stream(text)).inNamespace(namespace).delete();
    }

    private static void customResource(KubernetesClient client, String namespace) {
        String text = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: boats.fabric8.example.com}\n"
                + "spec:\n  group: fabric8.example.com\n  names: {plural: boats, singular: boat, kind: Boat}\n  scope: Namespaced\n  versions:\n"
                + "  - name: v1\n    served: true\n    storage: true\n    schema:\n      openAPIV3Schema:\n        type: object\n"
                + "        properties: {spec: {type: object, properties: {oars: {type: integer, minimum: 1}}}}\n";
        var definitions = client.apiextensions().v1().customResourceDefinitions();
        CustomResourceDefinition definition = definitions.load(stream(text)).create();
        try {
            definitions.resource(definition).waitUntilCondition(now -> now != null && now.getStatus() != null
                    && now.getStatus().getConditions() != null
                    && now.getStatus().getConditions().stream()
                            .anyMatch(one -> one.getType().equals("Established") && one.getStatus().equals("True")),
                    60, TimeUnit.SECONDS);
            var boats = client.genericKubernetesResources(new ResourceDefinitionContext.Builder()
                    .withGroup("fabric8.example.com").withVersion("v1").withKind("Boat").withPlural("boats").withNamespaced(true).build());
            boats.inNamespace(namespace).resource(boat(2)).create();
            equal("the code of one without oars", code(() -> boats.inNamespace(namespace).resource(boat(0)).create()), 422);
        } finally {
            definitions.resource(definition).delete();
        }
    }

    private static GenericKubernetesResource boat(int oars) {
        GenericKubernetesResource boat = new GenericKubernetesResource();
        boat.setApiVersion("fabric8.example.com/v1");
        boat.setKind("Boat");
        boat.setMetadata(new io.fabric8.kubernetes.api.model.ObjectMetaBuilder().withName("boat-" + oars).build());
        boat.setAdditionalProperty("spec", Map.of("oars", oars));
        return boat;
    }

    private static void logs(KubernetesClient client, String namespace) throws Exception {
        PodResource pod = pod(client, namespace, "for i in 1 2 3; do echo line $i; done; sleep 3600");
        eventually("all was said", () -> pod.getLog().equals("line 1\nline 2\nline 3\n"));
        equal("the last line", pod.tailingLines(1).getLog(), "line 3\n");
        ByteArrayOutputStream followed = new ByteArrayOutputStream();
        try (var ignored = pod.watchLog(followed)) {
            eventually("what is followed", () -> followed.toString(StandardCharsets.UTF_8).contains("line 3"));
        }
    }

    private static void exec(KubernetesClient client, String namespace) throws Exception {
        PodResource pod = pod(client, namespace, "sleep 3600");
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        ByteArrayOutputStream complained = new ByteArrayOutputStream();
        try (ExecWatch command = pod.readingInput(stream("something\n")).writingOutput(said).writingError(complained)
                .exec("sh", "-c", "read line; echo got $line; echo complaint >&2; exit 3")) {
            equal("the exit code", command.exitCode().get(60, TimeUnit.SECONDS), 3);
        }
        equal("its output", said.toString(StandardCharsets.UTF_8), "got something\n");
        equal("its complaint", complained.toString(StandardCharsets.UTF_8), "complaint\n");
    }

    private static void portForward(KubernetesClient client, String namespace) throws Exception {
        PodResource pod = pod(client, namespace, PAGE);
        try (LocalPortForward forward = pod.portForward(8080)) {
            HttpRequest ask = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + forward.getLocalPort() + "/index.html"))
                    .timeout(Duration.ofSeconds(30)).build();
            HttpClient web = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
            for (int time = 0; time < 2; time++) {
                equal("the page", web.send(ask, HttpResponse.BodyHandlers.ofString()).body(), "page\n");
            }
        }
    }

    private static void files(KubernetesClient client, String namespace) throws Exception {
        PodResource pod = pod(client, namespace, "sleep 3600");
        File file = File.createTempFile("suite", ".txt");
        Files.writeString(file.toPath(), "carried over\n");
        holds("it is uploaded", pod.file("/tmp/carried.txt").upload(file.toPath()));
        File back = File.createTempFile("suite", ".txt");
        holds("it is copied back", pod.file("/tmp/carried.txt").copy(back.toPath()));
        equal("what is in it", Files.readString(back.toPath()), "carried over\n");
    }

    private static void deployment(KubernetesClient client, String namespace) {
        String text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n"
                + "  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n"
                + "      terminationGracePeriodSeconds: 0\n      containers:\n      - {name: main, image: '" + IMAGE + "', command: [sleep, '3600']}\n";
        var deployments = client.apps().deployments().inNamespace(namespace);
        deployments.load(stream(text)).create();
        deployments.withName("web").waitUntilReady(90, TimeUnit.SECONDS);
        deployments.withName("web").scale(2);
        eventually("two are available", () -> Integer.valueOf(2).equals(deployments.withName("web").get().getStatus().getAvailableReplicas()));
        deployments.withName("web").rolling().restart();
        deployments.withName("web").delete();
        eventually("its pods are gone", () -> client.pods().inNamespace(namespace).list().getItems().isEmpty());
    }

    private static void job(KubernetesClient client, String namespace) {
        String text = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: job}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n"
                + "      containers:\n      - {name: main, image: '" + IMAGE + "', command: [sh, -c, echo done]}\n";
        client.batch().v1().jobs().inNamespace(namespace).load(stream(text)).create();
        eventually("it has succeeded", () -> {
            Job job = client.batch().v1().jobs().inNamespace(namespace).withName("job").get();
            return job.getStatus() != null && Integer.valueOf(1).equals(job.getStatus().getSucceeded());
        });
    }

    private static PodResource pod(KubernetesClient client, String namespace, String script) {
        client.pods().inNamespace(namespace).resource(new PodBuilder()
                .withNewMetadata().withName("pod").endMetadata()
                .withNewSpec().withTerminationGracePeriodSeconds(0L)
                .addNewContainer().withName("main").withImage(IMAGE).withCommand("sh", "-c", script).endContainer()
                .endSpec().build()).create();
        PodResource pod = client.pods().inNamespace(namespace).withName("pod");
        pod.waitUntilReady(90, TimeUnit.SECONDS);
        return pod;
    }

    private static ConfigMap map(String name, String key, String value) {
        return new ConfigMapBuilder().withNewMetadata().withName(name).endMetadata().addToData(key, value).build();
    }

    private static ByteArrayInputStream stream(String text) {
        return new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8));
    }

    private static int code(Runnable refused) {
        try {
            refused.run();
        } catch (KubernetesClientException error) {
            return error.getCode();
        }
        return 200;
    }

    private static void equal(String what, Object got, Object wanted) {
        holds(what + " is " + got + ", not " + wanted, wanted.equals(got));
    }

    private static void holds(String what, boolean so) {
        if (!so) {
            throw new AssertionError(what);
        }
    }

    private static void eventually(String what, BooleanSupplier so) {
        long limit = System.nanoTime() + TimeUnit.SECONDS.toNanos(90);
        while (!so.getAsBoolean()) {
            holds("in vain for 90 s: " + what, System.nanoTime() < limit);
            try {
                Thread.sleep(100);
            } catch (InterruptedException error) {
                throw new AssertionError(error);
            }
        }
    }

    private Checks() {}
}
