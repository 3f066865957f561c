# What ./quickstart and ./test need on this machine; sourced by both.
#
# Every function may be called again at any time: it looks first and acts only if something is
# missing.  ROOT is the clone's directory.

VENV="$ROOT/.venv"
SYSTEM_MODULES=/usr/lib/python3/dist-packages
DEBIAN_PACKAGES=(tgt qemu-utils qemu-block-extra libiscsi-bin)
# The virtual machine of `./test vm`, and what is tested in it.
VM_PACKAGES=(
    qemu-system-x86 qemu-system-common seabios busybox-static kmod udev linux-image-amd64
    lvm2 thin-provisioning-tools dmsetup kpartx multipath-tools cryptsetup-bin
    open-iscsi targetcli-fb python3-rtslib-fb nvme-cli rdma-core ibverbs-utils ibverbs-providers
    sg3-utils lsscsi sysfsutils e2fsprogs xfsprogs iproute2 procps util-linux bsdutils
    cgroup-tools dbus
)
# The Ceph of `./test ceph`.
CEPH_PACKAGES=(
    ceph-mon ceph-mgr ceph-osd util-linux
    ceph-common qemu-utils qemu-block-extra
    python3-rados python3-rbd
)

say() { printf '\033[1m== %s\033[0m\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

missing_packages() {
    local package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            echo "$package"
    done
}

# Install Debian packages without starting the services in them: the tgtd that the
# distribution would start is not the one we use.
install_debian_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null || die "please install: ${missing[*]}"
    ((EUID == 0)) || die "please run as root, or install first: ${missing[*]}"
    say "installing ${missing[*]}"
    without_starting_services apt_install "${missing[@]}" || die "could not install: ${missing[*]}"
}

# Run a command while a policy forbids package scripts to start anything; whatever happens,
# the policy that was there before comes back.
without_starting_services() (
    policy=/usr/sbin/policy-rc.d
    kept=''
    restore() {
        rm -f "$policy"
        [[ -z $kept ]] || mv "$kept" "$policy"
    }
    trap restore EXIT
    trap 'exit 130' INT TERM
    if [[ -e $policy || -L $policy ]]; then
        kept=$(mktemp -u "$policy.kept.XXXXXX")
        mv "$policy" "$kept"
    fi
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    "$@"
)

apt_install() {
    local options=(-qq -y --no-install-recommends -o DPkg::Lock::Timeout=300)
    # A kernel that we install is for the virtual machine, which has an initramfs of its own.
    export DEBIAN_FRONTEND=noninteractive INITRD=No
    # The lists may be absent or too old for what they name; one look at the mirror mends both.
    apt-get install "${options[@]}" "$@" </dev/null >/dev/null 2>&1 && return
    apt-get update -qq </dev/null && apt-get install "${options[@]}" "$@" </dev/null >/dev/null
}

suitable_python() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Debian's own python3 comes without what venv needs; another one first on PATH has it.
find_python() {
    local candidate
    for candidate in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
        suitable_python "$candidate" || continue
        "$candidate" -c 'import ensurepip, venv' 2>/dev/null && { echo "$candidate"; return; }
    done
}

ensure_venv() {
    local python
    "$VENV/bin/python" -m pip --version >/dev/null 2>&1 && return
    python=$(find_python || true)
    if [[ -z $python ]]; then
        suitable_python python3 || suitable_python /usr/bin/python3 ||
            die "Python 3.11 or newer is needed"
        install_debian_packages python3-venv
        python=$(find_python || true)
    fi
    [[ -n $python ]] || die "no python3 (3.11 or newer) that can make a virtual environment"
    say "making .venv with $("$python" --version)"
    rm -rf "$VENV"
    "$python" -m venv "$VENV"
}

# Install a lock file into .venv, unless it was installed already.
#
# The three lock files agree with each other, so they add up in one environment; a change in
# any of them, or a clone that was moved, makes all stamps invalid.
install_python_packages() {
    local lock=$1 stamp="$VENV/installed" generation
    ensure_venv
    link_ceph_bindings
    generation=$({ echo "$ROOT"; cat "$ROOT"/requirements*.lock "$ROOT/pyproject.toml"; } | sha256sum)
    if [[ $(head -n 1 "$stamp" 2>/dev/null) != "$generation" ]]; then
        echo "$generation" >"$stamp"
    fi
    grep -qx "$lock" "$stamp" && return
    say "installing Python packages of $lock"
    local pip=("$VENV/bin/python" -m pip --disable-pip-version-check --no-input install -qq)
    "${pip[@]}" --no-deps --require-hashes -r "$ROOT/$lock"
    "${pip[@]}" --no-deps --no-build-isolation -e "$ROOT"
    echo "$lock" >>"$stamp"
    # The wider set holds the narrower ones.
    [[ $lock != requirements-dev.lock ]] || echo requirements-clients.lock >>"$stamp"
}

# Ceph's Python bindings are packages of the distribution, for its version of Python.  Links show
# these two to .venv, where they are installed, and nothing else of the system's modules.
link_ceph_bindings() {
    local abi site binding
    { read -r abi; read -r site; } < <("$VENV/bin/python" -c 'import sysconfig as s
print(s.get_config_var("EXT_SUFFIX"), s.get_path("platlib"), sep="\n")')
    for binding in "$SYSTEM_MODULES"/{rados,rbd}"$abi"; do
        [[ ! -e $binding ]] || ln -sfn "$binding" "$site/"
    done
}

require_ceph_bindings() {
    "$VENV/bin/python" -c 'import rados, rbd' 2>/dev/null ||
        die "$("$VENV/bin/python" --version) in .venv cannot use $(echo "$SYSTEM_MODULES"/rados.*.so):" \
            "remove .venv, and let a python3 of that version (Debian's own) be the first on PATH"
}
