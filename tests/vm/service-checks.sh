#!/bin/bash
# What the virtual machine of service.sh checks, as a unit of its systemd, once a boot. It ends at the first thing that is not so.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root KUBECONFIG=/etc/knarr/knarr.yaml
export SYSTEMD_COLORS=0 SYSTEMD_PAGER=
unit_file=/etc/systemd/system/knarr.service config=/etc/knarr/config.yaml notes=/var/lib/checks
# How long one thing may take, in seconds: an emulated processor is slow.
patience=900

say() { echo "vm: [$(cut -d. -f1 /proc/uptime) s] $*"; }

# Ends the machine, with what may help to understand why.
fail() {
    say "FAILED: $*"
    local command
    for command in "systemctl status knarr" "journalctl -b -n 60 -o cat -u knarr" "knarr status" "kubectl get nodes,pods -A -o wide" \
        "kubectl describe pod steady" "systemctl --failed" "cat $unit_file"; do
        echo "--- $command"
        # shellcheck disable=SC2086 # words
        timeout 120 $command 2>&1
    done
    echo "vm: something failed"
    systemctl poweroff
    sleep infinity
}

# is WHAT COMMAND…: it must succeed now.
is() {
    local what=$1 said
    shift
    said=$("$@" 2>&1) || fail "$what: $*: $said"
    say "$what"
}

# comes WHAT COMMAND…: it must succeed sooner or later.
comes() {
    local what=$1 begin=$SECONDS said
    shift
    until said=$("$@" 2>&1); do
        [ $((SECONDS - begin)) -lt "$patience" ] || fail "$what: $*: $said"
        sleep 1
    done
    say "$what"
}

# same TEXT COMMAND…: that is what it says.
same() {
    local text=$1 said
    shift
    said=$("$@" 2>&1)
    [ "$said" = "$text" ] || { echo "'$said', not '$text'" && return 1; }
}

# says TEXT COMMAND…: it succeeds, and its output holds the text.
says() {
    local text=$1 said status
    shift
    said=$("$@" 2>&1)
    status=$?
    [[ $status = 0 && $said == *"$text"* ]] || { echo "'$said' and $status, not '$text'" && return 1; }
}

# complains TEXT COMMAND…: it fails, and its output holds the text.
complains() {
    local text=$1 said status
    shift
    said=$("$@" 2>&1)
    status=$?
    [[ $status != 0 && $said == *"$text"* ]] || { echo "'$said' and $status, not a failure with '$text'" && return 1; }
}

# more NUMBER COMMAND…: it says a greater number.
more() {
    local number=$1 said
    shift
    said=$("$@") && [ "$said" -gt "$number" ]
}

state_is() { same "$1" systemctl is-active knarr; }
property() { systemctl show -P "$1" knarr; }
another_server() { state_is active && [ "$(property MainPID)" != "$1" ]; }
get() { kubectl get "$1" "$2" -o "jsonpath=$3"; }
ready='{.status.conditions[?(@.type=="Ready")].status}'
pod() { get pod steady "$1"; }
restarts() { pod '{.status.containerStatuses[0].restartCount}'; }
api_is_ready() { same ok kubectl get --raw /readyz; }
refused() { ! "$@"; }
none_exists() {
    local path
    for path in "$@"; do
        [ ! -e "$path" ] || { echo "$path is there" && return 1; }
    done
}

# The processes in our control groups of a kind, each with its start: a process id may be used again, the two together not.
processes() {
    local pid
    for pid in $(find /sys/fs/cgroup/knarr-*/"$1" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -n); do
        echo "$pid@$(awk '{print $22}' "/proc/$pid/stat")"
    done
}
all_processes() { echo $(processes kubepods) / $(processes shims) / $(processes dns); }

# What the kernel holds pods to. These groups are in a tree that systemd has too.
limits() {
    grep -r . --include=cgroup.controllers --include=cgroup.subtree_control --include=memory.max --include=cpu.max --include=pids.max \
        /sys/fs/cgroup/knarr-*/kubepods | sort
}

network() { ip -o -4 address show && ip -4 route && nft list ruleset; }

# notes_the_pod: what must not change from here on.
notes_the_pod() {
    as_before=$(all_processes) count_before=$(restarts)
    say "its processes: $as_before; restarted $count_before times"
}
pod_goes_on() { is "the pod goes on, undisturbed" same "$as_before" all_processes; }
server_has_adopted_it() {
    comes "the node is Ready" same True get node vm "$ready"
    comes "the pod can be reached through the API" same here kubectl exec steady -- echo here
    is "and was not restarted" same "$count_before" restarts
    pod_goes_on
}

MANIFEST='{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "steady"}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [
  {"name": "main", "image": "example.com/steady:1", "command": ["sh", "-c", "trap exit TERM; sleep 1000000 & wait"],
   "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}}}]}}'

make_pod() {
    local root
    root=$(mktemp -d)
    mkdir "$root/bin" && cp /bin/busybox "$root/bin/" && ln -s busybox "$root/bin/sh" && ln -s busybox "$root/bin/sleep" &&
        ln -s busybox "$root/bin/echo" && knarr image build --from "$root" --tag example.com/steady:1 --cmd sh &&
        # What kubectl would validate with is megabytes, which an emulated processor does not make in kubectl's time.
        echo "$MANIFEST" | kubectl apply --validate=false -f -
}

install() {
    is "nothing is there to be removed" says "There is no service to remove" knarr service remove
    knarr service install --node-label shelf=top >/tmp/install 2>&1 &
    local installing=$!
    # Not before it is ready: the unit's type is notify.
    comes "it becomes active" state_is active
    is "which it is once the API is ready" api_is_ready
    wait "$installing" || fail "install: $(cat /tmp/install)"
    sed 's/^/    /' /tmp/install
    is "install says what it wrote" grep -qF "$unit_file" /tmp/install
    is "it starts at boot" same enabled systemctl is-enabled knarr
    is "status says who runs it" says "by systemd" knarr status
    comes "the node becomes Ready" same True get node vm "$ready"
    is "with the label of the command line" same top get node vm '{.metadata.labels.shelf}'
}

run_a_pod() {
    comes "pods can be made" kubectl get serviceaccount default
    is "a pod is made" make_pod
    comes "it becomes ready" same True pod "$ready"
    notes_the_pod
    local group
    group=/sys/fs/cgroup$(property ControlGroup)
    is "the unit's control group holds the server alone" same "$(property MainPID)" cat "$group/cgroup.procs"
    is "the pod has limits" says "/memory.max:67108864" limits
}

disturb() {
    local server
    server=$(property MainPID)
    systemctl kill -s KILL knarr
    comes "a killed server is started again" another_server "$server"
    server_has_adopted_it

    is "it restarts" systemctl restart knarr
    server_has_adopted_it

    is "it stops" systemctl stop knarr
    is "in time" same success property Result
    is "and is inactive" state_is inactive
    is "status says so" complains "stopped" knarr status
    pod_goes_on
    is "it starts" systemctl start knarr
    server_has_adopted_it

    local before
    before=$(limits)
    is "systemd reads its units anew" systemctl daemon-reload
    is "systemd executes itself anew" systemctl daemon-reexec
    is "another unit comes and goes" systemd-run --wait -q -p CPUWeight=50 -p MemoryMax=50M true
    is "which leaves the pods' limits as they were" same "$before" limits
    before=$(network)
    is "the machine's network is set up anew" systemctl restart systemd-networkd
    is "and waited for" /lib/systemd/systemd-networkd-wait-online
    comes "the pods' network is as it was" same "$before" network
    pod_goes_on
}

install_again() {
    is "the same again is no change" says "Unchanged" knarr service install --node-label shelf=top
    server_has_adopted_it
    is "other flags are" says "Wrote" knarr service install --node-label shelf=low --node-label box=big
    comes "the new flags are used" same big get node vm '{.metadata.labels.box}'
    server_has_adopted_it
}

down_and_up() {
    is "down stops the service" says "Stopped the service knarr" knarr down
    is "for good" same dead property SubState
    is "and the pod" same "/ /" all_processes
    is "but it starts at boot" same enabled systemctl is-enabled knarr
    is "down again has nothing to do" says "Nothing was running" knarr down
    is "up starts the service" says "Starting the service knarr" knarr up
    is "which is active" state_is active
    comes "the pod returns" more "$count_before" restarts
    comes "and is ready" same True pod "$ready"
    notes_the_pod
}

refuse() {
    echo 'no-such-flag: true' >"$config"
    is "a server whose configuration is wrong does not start" refused systemctl restart knarr
    is "its unit has failed" state_is failed
    is "systemctl status says why" complains "no-such-flag" systemctl status knarr
    is "and so does the journal" says "no-such-flag" journalctl -b -o cat -u knarr
    pod_goes_on
    rm "$config"
    is "without the error it starts" systemctl start knarr
    is "and knarr logs shows what was wrong" says "no-such-flag" knarr logs
    server_has_adopted_it

    systemctl stop knarr
    busybox nc -l -p 6443 &
    comes "somebody takes the port" says ":6443" ss -ltn
    is "install says that the server does not start, and why" complains "6443 is taken" knarr service install
    is "up says so too" complains "6443 is taken" knarr up
    kill $!
    comes "systemd tries again until it starts" state_is active
    server_has_adopted_it
}

boot_again() {
    pod '{.metadata.uid}' >"$notes/uid"
    restarts >"$notes/count"
    echo "vm: boots again"
    systemctl reboot
    sleep infinity
}

return_after_boot() {
    comes "the service has started by itself" state_is active
    comes "the node is Ready" same True get node vm "$ready"
    comes "the pod was restarted" more "$(cat "$notes/count")" restarts
    comes "and is ready" same True pod "$ready"
    is "it is the same pod" same "$(cat "$notes/uid")" pod '{.metadata.uid}'
    notes_the_pod
    server_has_adopted_it
}

remove() {
    is "remove says what it does" says "$unit_file" knarr service remove
    is "the unit is gone" refused systemctl cat knarr
    is "and not active" state_is inactive
    is "and does not start at boot" refused systemctl is-enabled knarr
    is "no file is left" none_exists "$unit_file" "$unit_file.env" /etc/systemd/system/multi-user.target.wants/knarr.service
    pod_goes_on
    is "nothing is there to be removed" says "There is no service to remove" knarr service remove
}

# A server of `knarr up` becomes a service without harm to its pods; before that, systemd leaves it alone as well.
hand_over() {
    is "up starts a server of its own" says "Starting the server" knarr up
    server_has_adopted_it
    local before
    before=$(limits)
    is "systemd reads its units anew" systemctl daemon-reload
    is "another unit comes and goes" systemd-run --wait -q -p CPUWeight=50 true
    is "which leaves the pods' limits as they were" same "$before" limits
    is "install takes over from it" says "Stopped the server" knarr service install
    is "status says who runs it" says "by systemd" knarr status
    server_has_adopted_it
}

purge() {
    is "down --purge says that it deletes the unit" says "Deleted the systemd unit" knarr down --purge
    is "nothing is left" none_exists "$unit_file" /var/lib/knarr /etc/knarr /run/knarr /sys/fs/cgroup/knarr-*
    is "and nothing is remembered as failed" same "" systemctl list-units --failed --no-legend 'knarr*'
}

say "$(uname -r), $(systemctl --version | head -n 1)"
mkdir -p "$notes"
systemctl is-system-running --wait
if [ ! -e "$notes/uid" ]; then
    steps=(install run_a_pod disturb install_again down_and_up refuse boot_again)
else
    steps=(return_after_boot remove hand_over purge)
fi
for step in "${steps[@]}"; do
    say "== $step"
    "$step"
done
echo "vm: everything passed"
systemctl poweroff
