import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import java.io.FileWriter;
import java.io.PrintWriter;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/**
 * fabric8's client used whole, as `cargo xtask suites fabric8` builds and runs it. KUBECONFIG says where the cluster is; to the file that
 * SUITE_REPORT names goes a line of JSON a check. A word limits it to the checks whose names hold it.
 */
public final class Suite {
    /** A check, in a namespace of its own. */
    interface Check {
        void run(KubernetesClient client, String namespace) throws Exception;
    }

    public static void main(String[] words) throws Exception {
        try (KubernetesClient client = new KubernetesClientBuilder().build();
                PrintWriter report = new PrintWriter(new FileWriter(System.getenv("SUITE_REPORT")), true)) {
            for (Map.Entry<String, Check> check : Checks.all().entrySet()) {
                if (words.length == 0 || check.getKey().contains(words[0])) {
                    report.println(line(client, check.getKey(), check.getValue()));
                }
            }
        }
        // Threads of what a check has left would keep the program here.
        System.exit(0);
    }

    private static String line(KubernetesClient client, String name, Check check) {
        long begun = System.nanoTime();
        String failure = "";
        String namespace = "fabric8-" + UUID.randomUUID().toString().substring(0, 8);
        try {
            client.namespaces().resource(new NamespaceBuilder().withNewMetadata().withName(namespace).endMetadata().build()).create();
            // Pods are refused until it is there.
            client.serviceAccounts().inNamespace(namespace).withName("default").waitUntilCondition(one -> one != null, 60, TimeUnit.SECONDS);
            check.run(client, namespace);
        } catch (Throwable error) {
            error.printStackTrace();
            failure = first(error);
        } finally {
            client.namespaces().withName(namespace).delete();
        }
        long seconds = TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - begun);
        String result = failure.isEmpty() ? "passed" : "failed";
        return String.format("{\"name\": %s, \"area\": \"fabric8\", \"result\": \"%s\", \"seconds\": %d, \"failure\": %s}",
                quoted(name), result, seconds, quoted(failure));
    }

    private static String first(Throwable error) {
        String text = error.getMessage() == null ? error.toString() : error.getMessage();
        return text.lines().findFirst().orElse(error.toString());
    }

    private static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char letter : text.substring(0, Math.min(text.length(), 240)).toCharArray()) {
            if (letter == '"' || letter == '\\') {
                quoted.append('\\').append(letter);
            } else if (letter < ' ') {
                quoted.append(' ');
            } else {
                quoted.append(letter);
            }
        }
        return quoted.append('"').toString();
    }

    private Suite() {}
}
