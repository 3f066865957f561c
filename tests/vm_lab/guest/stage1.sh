#!/bin/busybox sh
# First stage, in the initramfs: load what reaches the host's files, lay a throw-away overlay over
# them, and go there.  The kernel's command line says lab.root=virtiofs or lab.root=9p.
bb=/bin/busybox
$bb mkdir -p /proc /sys /dev /host /changes /root
$bb mount -t proc proc /proc
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs devtmpfs /dev

give_up() {
    echo "lab: first stage: $*" >/dev/console
    $bb sleep 1
    echo b >/proc/sysrq-trigger
}

for module in $($bb cat /modules/order); do
    $bb insmod "/modules/$module" || give_up "cannot load $module"
done

case " $($bb cat /proc/cmdline) " in
    *' lab.root=virtiofs '*)
        $bb mount -t virtiofs -o ro root /host ;;
    *)
        $bb mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose root /host ;;
esac || give_up "cannot mount the host's files"

$bb mount -t tmpfs -o mode=755,size=80% changes /changes
$bb mkdir /changes/upper /changes/work
$bb mount -t overlay -o lowerdir=/host,upperdir=/changes/upper,workdir=/changes/work,xino=off \
    overlay /root || give_up "cannot mount the overlay"

for place in proc sys dev; do
    $bb mkdir -p /root/$place
    $bb mount --move /$place /root/$place
done
$bb mkdir -p /root/run
$bb mount -t tmpfs -o mode=755 run /root/run
$bb cp -r /lab /root/run/lab
$bb cp /bin/busybox /root/run/lab/busybox
exec $bb switch_root /root /run/lab/busybox sh /run/lab/stage2.sh
