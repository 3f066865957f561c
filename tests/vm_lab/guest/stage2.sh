# Second stage, on the host's files: make a system of it, run the command, report.
#
# Beside this file, in /run/lab: `settings` (LAB_* variables) and `command`, a shell script.
# The control channel speaks in lines.  To the host: BOOT, START, EXIT <status>, DUMPED.  From it:
# DUMP.  The command's output ends with LAB_END on each stream, for the channels are not in step.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
cd /
. /run/lab/settings
exec </dev/null >/dev/console 2>&1

log() {
    read -r up _ </proc/uptime
    echo "lab: $up s: $*"
}

find_channels() {
    for port in /sys/class/virtio-ports/*; do
        read -r name <"$port/name"
        case $name in
            lab.control) control=/dev/${port##*/} ;;
            lab.stdin) stdin=/dev/${port##*/} ;;
            lab.stdout) stdout=/dev/${port##*/} ;;
            lab.stderr) stderr=/dev/${port##*/} ;;
        esac
    done
}

mount_the_rest() {
    mkdir -p /dev/pts /dev/shm /dev/mqueue /run/lock /run/udev /run/dbus /run/scratch
    mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
    mount -t tmpfs -o mode=1777 shm /dev/shm
    mount -t mqueue mqueue /dev/mqueue
    mount -t tmpfs -o mode=1777,size=50% scratch /run/scratch
    chmod 1777 /run/lock
    ln -sfn /proc/self/fd /dev/fd
    ln -sfn /proc/self/fd/0 /dev/stdin
    ln -sfn /proc/self/fd/1 /dev/stdout
    ln -sfn /proc/self/fd/2 /dev/stderr
}

mount_control_groups() {
    if [ "$LAB_CGROUP" = 2 ]; then
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
        echo "+io +memory +pids +cpu" >/sys/fs/cgroup/cgroup.subtree_control
        return
    fi
    mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
    for controllers in cpu,cpuacct cpuset memory devices freezer blkio pids; do
        mkdir -p /sys/fs/cgroup/$controllers
        mount -t cgroup -o $controllers cgroup /sys/fs/cgroup/$controllers
    done
}

# The machine's own names, the same each time; nothing of the host's identity is kept.
name_the_machine() {
    uuid=b7a6d1f0-52c3-4e0e-9a41-0c5d7be2f6aa
    echo vm-lab >/proc/sys/kernel/hostname
    grep -qw localhost /etc/hosts || echo "127.0.0.1 localhost" >>/etc/hosts
    echo "127.0.1.1 vm-lab" >>/etc/hosts
    mkdir -p /etc/iscsi /etc/nvme
    echo "InitiatorName=iqn.1993-08.org.debian:01:vm-lab" >/etc/iscsi/initiatorname.iscsi
    echo "nqn.2014-08.org.nvmexpress:uuid:$uuid" >/etc/nvme/hostnqn
    echo "$uuid" >/etc/nvme/hostid
    echo "$uuid" | tr -d - >/etc/machine-id
}

configure_the_kernel() {
    ulimit -n 65536
    # Dirty pages go out after a second: what a test wrote is soon what the device holds.
    echo 100 >/proc/sys/vm/dirty_expire_centisecs
    echo 100 >/proc/sys/vm/dirty_writeback_centisecs
    echo 1 >/proc/sys/kernel/sysrq
    ip link set lo up
    # shellcheck disable=SC2086
    modprobe -a configfs dm-mod loop $LAB_MODULES
    mount -t configfs configfs /sys/kernel/config
    mount -t debugfs debugfs /sys/kernel/debug
}

start_daemons() {
    # udevd that finds these believes it is in a container and does nothing.
    rm -f /.dockerenv /run/.containerenv
    # Without systemd nobody can activate volume groups in the background or poll for lvm.
    mkdir -p /etc/udev/rules.d
    ln -sf /dev/null /etc/udev/rules.d/69-lvm.rules
    [ ! -d /etc/lvm ] || echo "global { use_lvmpolld = 0 }" >/etc/lvm/lvmlocal.conf
    /lib/systemd/systemd-udevd --daemon
    udevadm trigger --action=add --subsystem-match=block --subsystem-match=misc \
        --subsystem-match=mem --subsystem-match=net
    udevadm settle --timeout=30
    # targetcli cannot start without the system bus.
    dbus-daemon --system --fork --nopidfile
}

# Say, when the host asks for it, what the guest is doing.
answer_the_host() {
    while read -r line <&9; do
        [ "$line" = DUMP ] || continue
        echo "lab: processes:"
        /bin/ps -ww -N --ppid 2 -o pid,ppid,stat,wchan:24,args
        echo "lab: blocked tasks:"
        echo w >/proc/sysrq-trigger
        echo DUMPED >&9
    done
}

# A daemon that the command leaves behind may hold its output open for good.  So a pipe is
# copied to each channel, and a mark says where the command's output ended.
run_the_command() {
    mkfifo /run/lab/stdout /run/lab/stderr
    cat /run/lab/stdout >"$stdout" &
    cat /run/lab/stderr >"$stderr" &
    exec 7>/run/lab/stdout 8>/run/lab/stderr
    [ -n "$stdin" ] || stdin=/dev/null
    echo START >&9
    log "the command starts"
    setsid bash /run/lab/command <"$stdin" >&7 2>&8 7>&- 8>&- 9>&-
    status=$?
    log "the command ended with $status"
    printf %s "$LAB_END" >&7
    printf %s "$LAB_END" >&8
    echo "EXIT $status" >&9
}

find_channels
exec 9<>"$control"
echo BOOT >&9
mount_the_rest
mount_control_groups
name_the_machine
configure_the_kernel
start_daemons
answer_the_host &
run_the_command
sleep 30
echo b >/proc/sysrq-trigger
