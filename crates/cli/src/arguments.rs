//! The command line as typed text: commands and flags, named as K3s names them wherever it has the same thing.
//!
//! Used by [`crate::invocation`], which adds what the environment and the configuration file say. No value has a default here:
//! an absent flag must be told from a given one. Deliberately absent: rules between values (see [`crate::config`]).

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::version;

pub mod audit;
pub mod flags;
pub mod value;

pub use audit::{AuditFlags, AuditFormat, AuditMode};
pub use flags::{AgentFlags, CommonFlags, NodeFlags, ServerFlags};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "knarr",
    about = "Kubernetes, whole, in one binary",
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run control plane and node in the foreground
    Server(ServerFlags),
    /// Run a node in the foreground and join it to a cluster
    Agent(AgentFlags),
    /// Run the controllers alone, against any API server
    ControllerManager(flags::ControllerManagerFlags),
    /// Run the scheduler alone, against any API server
    Scheduler(flags::SchedulerFlags),
    /// Start the cluster in the background and wait until its node is ready
    Up(ServerFlags),
    /// Stop the cluster and everything it started
    Down(DownArguments),
    /// Install or remove the systemd service
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Show what runs
    Status(LocalFlags),
    /// Show the log of the server
    Logs(LogsArguments),
    /// Check whether this machine can run a cluster
    Check(ServerFlags),
    /// List the pods of this node, also when the API is down
    Ps(PsArguments),
    /// Show all that this node knows of a pod or container, also when the API is down
    Inspect(InspectArguments),
    /// Run kubectl on this cluster
    Kubectl(KubectlArguments),
    /// Print the kubeconfig, or merge it into your own
    Kubeconfig(KubeconfigArguments),
    /// Build, load and list the images of this node
    #[command(subcommand)]
    Image(ImageCommand),
    /// Say why an object of a cluster is as it is: why a pod is pending, what a rollout waits for, who changed what
    Why(WhyArguments),
    /// Say what would become of a cluster if files were applied: what the server, the controllers and the scheduler would do
    Plan(PlanArguments),
    /// Print a completion script for a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Hold one pod. Started by the node agent only
    #[command(hide = true)]
    Shim(InternalArguments),
    /// Answer the cluster's DNS. Started by the node agent only
    #[command(hide = true)]
    Dns(InternalArguments),
}

/// Where a cluster is: the flags of every command that does not start one.
#[derive(Clone, Debug, Default, Args)]
pub struct LocalFlags {
    /// Flags that every command has.
    #[command(flatten)]
    pub common: CommonFlags,
    /// Kubeconfig of the administrator
    #[arg(long, short = 'o', value_name = "FILE")]
    pub write_kubeconfig: Option<PathBuf>,
}

/// `knarr down`.
#[derive(Debug, Args)]
pub struct DownArguments {
    /// Where the cluster is.
    #[command(flatten)]
    pub local: LocalFlags,
    /// Also delete the data directory with all that the cluster stored, and the kubeconfig entries
    #[arg(long)]
    pub purge: bool,
}

/// `knarr service`.
#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// Write and start a systemd unit that runs the server with these flags
    Install(Box<ServerFlags>),
    /// Stop and delete the systemd unit. Pods stay until `knarr down`
    Remove(LocalFlags),
}

/// `knarr logs`.
#[derive(Debug, Args)]
pub struct LogsArguments {
    /// Where the cluster is.
    #[command(flatten)]
    pub local: LocalFlags,
    /// Go on as the log grows
    #[arg(long, short)]
    pub follow: bool,
    /// Show only the last lines
    #[arg(long, short = 'n', value_name = "LINES")]
    pub tail: Option<usize>,
}

/// `knarr ps`.
#[derive(Debug, Args)]
pub struct PsArguments {
    /// Where the cluster is.
    #[command(flatten)]
    pub local: LocalFlags,
    /// Include what has ended
    #[arg(long, short)]
    pub all: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `knarr inspect`.
#[derive(Debug, Args)]
pub struct InspectArguments {
    /// Where the cluster is.
    #[command(flatten)]
    pub local: LocalFlags,
    /// A pod as NAMESPACE/NAME or NAME, a pod's uid, or the beginning of a container's id
    pub what: String,
}

/// `knarr kubectl`.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct KubectlArguments {
    /// Where the cluster's data is (before kubectl's own arguments)
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Configuration file of the cluster (before kubectl's own arguments)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Kubeconfig of the administrator (before kubectl's own arguments)
    #[arg(long, value_name = "FILE")]
    pub write_kubeconfig: Option<PathBuf>,
    /// What kubectl gets
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    pub arguments: Vec<OsString>,
}

/// `knarr kubeconfig`.
#[derive(Debug, Args)]
pub struct KubeconfigArguments {
    /// Where the cluster is.
    #[command(flatten)]
    pub local: LocalFlags,
    /// Add the cluster to KUBECONFIG's first file or ~/.kube/config, and make it the current context
    #[arg(long)]
    pub merge: bool,
}

/// Which cluster is asked, and as whom: kubectl's flags.
#[derive(Clone, Debug, Default, Args)]
pub struct ClientFlags {
    /// Kubeconfig [default: those of KUBECONFIG, ~/.kube/config, or this machine's cluster's]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace [default: the context's]
    #[arg(long, short, value_name = "NAME")]
    pub namespace: Option<String>,
}

/// In which form an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AnswerForm {
    /// For programs.
    Json,
    /// The same in YAML.
    Yaml,
}

/// `knarr why`.
#[derive(Clone, Debug, Args)]
pub struct WhyArguments {
    /// Which cluster is asked.
    #[command(flatten)]
    pub client: ClientFlags,
    /// The object, as TYPE/NAME or TYPE NAME: pod/web-1, deploy web, widgets.example.com/big
    #[arg(required = true, num_args = 1..=2, value_name = "OBJECT")]
    pub object: Vec<String>,
    /// Print the answer as data
    #[arg(long, short, value_enum, value_name = "FORM")]
    pub output: Option<AnswerForm>,
    /// Show long lists whole
    #[arg(long, short)]
    pub all: bool,
}

/// `knarr plan`.
#[derive(Clone, Debug, Args)]
pub struct PlanArguments {
    /// Which cluster is asked.
    #[command(flatten)]
    pub client: ClientFlags,
    /// File or folder of objects, or - for standard input; may be repeated
    #[arg(long, short, required = true, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// Also read the folders in folders
    #[arg(long, short = 'R')]
    pub recursive: bool,
    /// Print the answer as data
    #[arg(long, short, value_enum, value_name = "FORM")]
    pub output: Option<AnswerForm>,
    /// Show long lists whole
    #[arg(long, short)]
    pub all: bool,
}

/// `knarr image`.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Make an image of a directory
    Build {
        /// Where the cluster is.
        #[command(flatten)]
        common: CommonFlags,
        /// The directory that becomes the image's root
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// Name of the image, such as example.com/hello:1
        #[arg(long, short, value_name = "NAME")]
        tag: String,
        /// What containers run unless a pod says otherwise; once for each word
        #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
        entrypoint: Vec<String>,
        /// Arguments of the entry point; once for each word
        #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
        cmd: Vec<String>,
        /// Environment as NAME=VALUE; may be repeated
        #[arg(long, value_name = "NAME=VALUE")]
        env: Vec<String>,
        /// User, and group after a colon
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// Working directory
        #[arg(long, value_name = "DIR")]
        workdir: Option<String>,
    },
    /// Load images from OCI layouts or docker archives
    Import {
        /// Where the cluster is.
        #[command(flatten)]
        common: CommonFlags,
        /// Archives or directories
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// List images
    #[command(visible_alias = "ls")]
    List {
        /// Where the cluster is.
        #[command(flatten)]
        common: CommonFlags,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove images
    #[command(visible_alias = "rm")]
    Remove {
        /// Where the cluster is.
        #[command(flatten)]
        common: CommonFlags,
        /// Names or ids
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Write an image to an OCI archive
    Export {
        /// Where the cluster is.
        #[command(flatten)]
        common: CommonFlags,
        /// Name or id
        name: String,
        /// File to write; standard output without it
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

impl ImageCommand {
    /// Where the cluster is.
    pub fn common(&self) -> &CommonFlags {
        match self {
            ImageCommand::Build { common, .. }
            | ImageCommand::Import { common, .. }
            | ImageCommand::List { common, .. }
            | ImageCommand::Remove { common, .. }
            | ImageCommand::Export { common, .. } => common,
        }
    }
}

/// What a hidden command gets: its own protocol, read by the part that it starts.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct InternalArguments {
    /// Passed on as they are.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<OsString>,
}

/// The commands as clap knows them, with the environment variable of a flag in its help.
pub fn command() -> clap::Command {
    name_variables(Arguments::command().version(version::text()))
}

fn name_variables(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        let variable = flags::variable(&arg);
        match (variable, arg.get_help()) {
            (Some(variable), Some(help)) => {
                let text = format!("{help} [env: {variable}]");
                arg.help(text)
            }
            _ => arg,
        }
    });
    command.mut_subcommands(name_variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn help_names_the_variable_of_a_flag() {
        let error =
            command().try_get_matches_from(["knarr", "server", "--help"]).expect_err("help is an early end");
        let help = error.to_string();
        assert!(help.contains("KNARR_TOKEN]"), "{help}");
        assert!(help.contains("--https-listen-port"), "{help}");
    }

    #[test]
    fn what_kubectl_gets_is_kubectls() {
        let matches =
            command().try_get_matches_from(["knarr", "kubectl", "get", "pods", "-o", "yaml", "--help"]);
        let matches = matches.expect("everything after the first word is kubectl's");
        let (_, kubectl) = matches.subcommand().expect("a command was given");
        let words: Vec<_> = kubectl.get_many::<OsString>("arguments").expect("there are words").collect();
        assert_eq!(words, ["get", "pods", "-o", "yaml", "--help"]);
    }
}
