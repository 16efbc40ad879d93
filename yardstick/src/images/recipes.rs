//! What is in each image, after upstream's recipes (`test/images` of its sources).

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Result;

use super::root::{append, busybox, install, link, program};
use super::shelf;
use crate::cluster::Programs;

/// How an image is made.
pub struct Image {
    /// Its name without the registry, as the suite's list of images has it.
    pub name: &'static str,
    /// The program that containers run.
    pub entry_point: &'static [&'static str],
    /// Its arguments.
    pub command: &'static [&'static str],
    /// Whom it runs as; root if empty.
    pub user: &'static str,
    /// Fills the root.
    pub fill: fn(&Path, &Programs<'_>) -> Result<()>,
}

const fn image(name: &'static str, fill: fn(&Path, &Programs<'_>) -> Result<()>) -> Image {
    Image { name, entry_point: &[], command: &["sh"], user: "", fill }
}

const fn agnhost(name: &'static str) -> Image {
    Image { entry_point: &["/agnhost"], command: &["pause"], ..image(name, agnhost_root) }
}

/// Holds a pod's namespaces for containerd.
pub const PAUSE: Image =
    Image { command: &["/bin/sleep", "2147483647"], ..image("pause:3.10.2", |root, _| busybox(root)) };

/// A page over HTTP from whatever is mounted at `/www`.
pub const PAGE: Image = Image {
    command: &["httpd", "-f", "-p", "8080", "-h", "/www"],
    ..image("page:1", |root, _| busybox(root))
};

/// What conformance tests run.
pub const SUITE: [Image; 14] = [
    agnhost("agnhost:2.66.1"),
    agnhost("agnhost:2.55"),
    image("busybox:1.37.0-2", shell_root),
    image("etcd:3.7.0-0", etcd),
    image("glibc-dns-testing:2.1.1", dns_tools),
    image("ipc-utils:1.4", ipc_tools),
    Image { entry_point: &["/agnhost"], command: &["test-webserver"], ..image("kitten:1.8", kitten) },
    Image { entry_point: &["/agnhost"], command: &["test-webserver"], ..image("nautilus:1.8", nautilus) },
    Image { command: &["nginx", "-g", "daemon off;"], ..image("nginx:1.27.0-2", nginx) },
    Image { command: &["nginx", "-g", "daemon off;"], ..image("nginx:1.28.0-2", nginx) },
    Image { command: &["nnp"], ..image("nonewprivs:1.4", set_uid_program) },
    Image { user: "1234", ..image("nonroot:1.5", |root, _| busybox(root)) },
    Image {
        entry_point: &["/sample-apiserver"],
        command: &[],
        ..image("sample-apiserver:1.29.2", sample_server)
    },
    PAUSE,
];

/// What clients' suites run: the first is for programs of ours, the others have the names that suites ask for.
pub const SUITES: [Image; 9] = [
    image("busybox:1.37.0-2", shell_root),
    image("library/busybox:latest", shell_root),
    image("library/busybox:stable", shell_root),
    image("library/alpine:latest", shell_root),
    image("library/ubuntu:latest", |root, _| debian(root)),
    Image { command: &["nginx", "-g", "daemon off;"], ..image("library/nginx:latest", |root, _| web(root)) },
    // Ends when it is told to, as the original does: whoever waits for that waits no grace period.
    Image {
        command: &["/bin/sh", "-c", "trap 'exit 0' TERM INT; sleep 2147483647 & wait"],
        ..image("google_containers/pause:latest", |root, _| busybox(root))
    },
    PAGE,
    PAUSE,
];

fn agnhost_root(root: &Path, programs: &Programs<'_>) -> Result<()> {
    busybox(root)?;
    for path in
        ["/usr/bin/curl", "/usr/bin/dig", "/usr/bin/nslookup", "/usr/bin/nc.openbsd", "/usr/bin/socat"]
    {
        program(root, path)?;
    }
    for path in ["/usr/sbin/ip", "/usr/bin/iperf", "/usr/bin/zsh", "/usr/bin/getent"] {
        program(root, path)?;
    }
    // Those of busybox have fewer flags, and its shell takes them before any other.
    link("../usr/bin/zsh", root, "bin/sh")?;
    link("../usr/bin/nc.openbsd", root, "bin/nc")?;
    link("../usr/bin/nslookup", root, "bin/nslookup")?;
    link("../usr/sbin/ip", root, "bin/ip")?;
    install(&programs.go.program("agnhost")?, root, "agnhost")?;
    link("agnhost", root, "agnhost-2")?;
    std::fs::create_dir_all(root.join("uploads"))?;
    shelf::put(programs, &PAUSE, "pause", "testing", &root.join("var/registry"))?;
    for file in ["localhost.crt", "localhost.key"] {
        install(&programs.go.source(&format!("test/images/agnhost/porter/{file}"))?, root, file)?;
    }
    append(root, "etc/passwd", "user-defined-in-image:x:1000:1000::/home:/bin/sh")?;
    append(root, "etc/group", "user-defined-in-image:x:1000:")?;
    append(root, "etc/group", "group-defined-in-image:x:50000:user-defined-in-image")
}

/// Debian's busybox drops environment variables whose names hold dashes, as dash and bash do and upstream's does not, and its wget
/// crashes when it is given a time limit. So `sh`, looked for in the path, is zsh; `/bin/sh` is busybox, whose complaints a test knows word by word.
fn shell_root(root: &Path, _: &Programs<'_>) -> Result<()> {
    busybox(root)?;
    program(root, "/usr/bin/zsh")?;
    program(root, "/usr/bin/wget")?;
    link("zsh", root, "usr/bin/sh")?;
    link("../usr/bin/wget", root, "bin/wget")
}

fn dns_tools(root: &Path, _: &Programs<'_>) -> Result<()> {
    busybox(root)?;
    for path in ["/usr/bin/dig", "/usr/bin/nslookup", "/usr/bin/getent"] {
        program(root, path)?;
    }
    link("../usr/bin/nslookup", root, "bin/nslookup")
}

fn ipc_tools(root: &Path, _: &Programs<'_>) -> Result<()> {
    busybox(root)?;
    for path in ["/usr/bin/ipcs", "/usr/bin/ipcmk", "/usr/bin/ipcrm"] {
        program(root, path)?;
        let name = path.trim_start_matches("/usr/bin/");
        link(&format!("../usr/bin/{name}"), root, &format!("bin/{name}"))?;
    }
    Ok(())
}

fn kitten(root: &Path, programs: &Programs<'_>) -> Result<()> {
    picture(root, programs, "kitten")
}

fn nautilus(root: &Path, programs: &Programs<'_>) -> Result<()> {
    picture(root, programs, "nautilus")
}

fn picture(root: &Path, programs: &Programs<'_>, name: &str) -> Result<()> {
    agnhost_root(root, programs)?;
    // What upstream makes these from, and what the suite knows them by where they are volumes.
    std::fs::write(root.join("etc/os-release"), "NAME=\"Alpine Linux\"\nID=alpine\n")?;
    for file in [format!("{name}.jpg"), "data.json".to_owned()] {
        install(&programs.go.source(&format!("test/images/{name}/html/{file}"))?, root, &file)?;
    }
    Ok(())
}

fn nginx(root: &Path, _: &Programs<'_>) -> Result<()> {
    busybox(root)?;
    nginx_into(root)
}

fn nginx_into(root: &Path) -> Result<()> {
    program(root, "/usr/sbin/nginx")?;
    for directory in ["etc/nginx", "run", "usr/share/nginx/html", "var/log/nginx", "var/lib/nginx"] {
        std::fs::create_dir_all(root.join(directory))?;
    }
    install(Path::new("/etc/nginx/mime.types"), root, "etc/nginx/mime.types")?;
    append(root, "etc/passwd", "www-data:x:33:33::/var/www:/bin/false")?;
    append(root, "etc/group", "www-data:x:33:")?;
    let page = "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body>Welcome to nginx!</body></html>\n";
    std::fs::write(root.join("usr/share/nginx/html/index.html"), page)?;
    let config = "error_log stderr; events {}
http { include mime.types; access_log /dev/stdout; server { listen 80; root /usr/share/nginx/html; } }
";
    std::fs::write(root.join("etc/nginx/nginx.conf"), config)?;
    Ok(())
}

/// A page server whose other programs are those of a distribution.
fn web(root: &Path) -> Result<()> {
    debian(root)?;
    nginx_into(root)
}

/// Bash and the programs that everybody takes for granted, as distributions have them.
fn debian(root: &Path) -> Result<()> {
    busybox(root)?;
    for path in ["/usr/bin/bash", "/usr/bin/dd", "/usr/bin/date", "/usr/bin/curl"] {
        program(root, path)?;
    }
    link("../usr/bin/bash", root, "bin/bash")
}

fn set_uid_program(root: &Path, programs: &Programs<'_>) -> Result<()> {
    busybox(root)?;
    install(&programs.go.program("nonewprivs")?, root, "usr/local/bin/nnp")?;
    std::fs::set_permissions(root.join("usr/local/bin/nnp"), std::fs::Permissions::from_mode(0o6755))?;
    Ok(())
}

fn sample_server(root: &Path, programs: &Programs<'_>) -> Result<()> {
    busybox(root)?;
    install(&programs.go.program("sample-apiserver")?, root, "sample-apiserver")
}

fn etcd(root: &Path, programs: &Programs<'_>) -> Result<()> {
    busybox(root)?;
    install(&programs.go.program("etcd")?, root, "usr/local/bin/etcd")?;
    install(&programs.go.program("etcdctl")?, root, "usr/local/bin/etcdctl")
}
