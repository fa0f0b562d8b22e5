#!/usr/bin/env bash
# Run the tests that want another kernel on Debian's own, in an emulated machine that sees this one's files read-only: pure cgroup v2 (marked
# "cgroups"), kinds of links (marked "links") and quotas (marked "quotas") that not every kernel has.
# usage: tests/vm.sh [PYTEST OPTION…]   all of them, or fewer: -m cgroups, -k smoke
# Needs root, qemu-system-x86 with virtiofsd, busybox-static, cpio, kmod, the project's .venv, and a package mirror for the
# kernel. Emulation is slow: 10 to 30 s to boot, and all inside takes some ten times longer than outside.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "tests/vm.sh must run as root, to share files with the machine"; exit 1; }
seconds=${LONGSHORE_VM_SECONDS:-1500}
scratch=$(mktemp -d /var/tmp/longshore-vm.XXXXXX)
trap 'rm -rf "$scratch"' EXIT

# The kernel's package is unpacked and never installed: it must not become this machine's.
package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-/{print $2; exit}')
[ -n "$package" ] || { echo "apt knows no linux-image-cloud-amd64: run apt-get update"; exit 1; }
(cd "$scratch" && apt-get download -q "$package" >apt.log 2>&1 && dpkg-deb -x "$package"_*.deb kernel) || { cat "$scratch/apt.log"; exit 1; }
release=$(basename "$scratch"/kernel/lib/modules/*)
depmod -b "$scratch/kernel" "$release"

first=$scratch/first
mkdir -p "$first"/{bin,lib/modules,proc,new,low,over}
cp /bin/busybox "$first/bin/"
cp "$scratch/kernel/lib/modules/$release/"modules.{dep,alias,symbols,order,builtin} "$scratch/"
for module in virtiofs virtio_pci overlay; do
    modprobe -d "$scratch/kernel" -S "$release" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' >"$scratch/modules"
while read -r file; do cp "$file" "$first/lib/modules/"; basename "$file" >>"$first/lib/modules/list"; done <"$scratch/modules"

# Written as arguments, one a line, so that none needs quoting on the kernel's command line.
printf '%s\n' -m "cgroups or links or quotas" "$@" >"$scratch/arguments"
grep -rlE --include='test_*.py' 'pytest\.mark\.(cgroups|links|quotas)' tests >>"$scratch/arguments"
cat >"$first/init" <<INIT
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t proc proc /proc
while read -r one; do \$b insmod /lib/modules/\$one; done </lib/modules/list
\$b mount -t virtiofs -o ro root /low || \$b poweroff -f
\$b mount -t tmpfs -o size=2g tmpfs /over
\$b mkdir /over/upper /over/work
\$b mount -t overlay -o lowerdir=/low,upperdir=/over/upper,workdir=/over/work root /new
for at in tmp run var/tmp dev proc sys; do \$b mount -t tmpfs -o mode=755 tmpfs /new/\$at; done
\$b chmod 1777 /new/tmp /new/var/tmp
\$b mount -t devtmpfs devtmpfs /new/dev
\$b mkdir -p /new/dev/pts /new/dev/shm /new/dev/mqueue
for one in fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do \$b ln -s /proc/self/\${one#*:} /new/dev/\${one%:*}; done
\$b mount -t devpts devpts /new/dev/pts; \$b mount -t tmpfs tmpfs /new/dev/shm
\$b mount -t proc proc /new/proc; \$b mount -t sysfs sysfs /new/sys; \$b mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
\$b mkdir -p /new/lib/modules /new/tmp/kernel; \$b mount -t tmpfs tmpfs /new/lib/modules
\$b ln -s /low/$scratch/kernel/lib/modules/$release /new/lib/modules/$release
\$b mkdir -p /new/low /new$PWD; \$b mount -o bind /low /new/low; \$b mkdir /over/project /over/work2
\$b mount -t overlay -o "lowerdir=/low$PWD,upperdir=/over/project,workdir=/over/work2" project /new$PWD
# No mere chroot: whoever enters a mount namespace made inside lands at its root, which must be this one.
exec \$b switch_root /new /bin/bash /low/$scratch/inside
INIT
chmod 755 "$first/init"
cat >"$scratch/inside" <<INSIDE
export PATH=$PWD/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TMPDIR=/tmp
ip link set lo up
for one in overlay veth bridge nf_tables; do modprobe \$one; done
# The kernel's own way of loading these ends at the first root, which has no modprobe.
for one in macvlan ipvlan 8021q dummy sctp nft_chain_nat nft_nat nft_masq nft_fib_inet nft_ct nf_conntrack_netlink af_packet loop quota_v2; do modprobe \$one; done
# An engine wants the controllers below the root, as systemd gives them.
for one in \$(cat /sys/fs/cgroup/cgroup.controllers); do echo +\$one >/sys/fs/cgroup/cgroup.subtree_control; done
cd $PWD
mapfile -t arguments </low/$scratch/arguments
pytest -q --color=no -p no:cacheprovider -p no:django -p no:hypothesispytest -p no:xdist -p no:xdist.looponfail --timeout 900 "\${arguments[@]}"
echo "pytest ended with code \$?"
poweroff -f
INSIDE
(cd "$first" && find . | cpio -o -H newc --quiet) | gzip -1 >"$scratch/initrd"

run() {
    # The machine's view: this one's root without what is mounted on it, and read-only.
    mkdir "$scratch/root"
    mount --bind / "$scratch/root"
    [ "$(stat -c %d .)" = "$(stat -c %d /)" ] || mount --bind "$PWD" "$scratch/root$PWD"
    [ "$(stat -c %d "$scratch")" = "$(stat -c %d /)" ] || mount --bind "$scratch" "$scratch/root$scratch"
    mount -o remount,ro,bind "$scratch/root"
    /usr/lib/qemu/virtiofsd --socket-path="$scratch/fs.sock" -o source="$scratch/root" -o cache=always -o xattr -o sandbox=chroot >"$scratch/fs.log" 2>&1 &
    for _ in $(seq 50); do [ -S "$scratch/fs.sock" ] && break; sleep 0.1; done
    timeout "$seconds" qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m 3g -nodefaults -no-user-config -display none -no-reboot \
        -object memory-backend-memfd,id=memory,size=3g,share=on -numa node,memdev=memory \
        -chardev socket,id=files,path="$scratch/fs.sock" -device vhost-user-fs-pci,chardev=files,tag=root \
        -kernel "$scratch/kernel/boot/vmlinuz-$release" -initrd "$scratch/initrd" -append "console=ttyS0 quiet panic=-1 cgroup_no_v1=all" \
        -serial stdio -monitor none </dev/null | tee "$scratch/serial"
}
export scratch seconds release
export -f run
unshare --mount --pid --fork --kill-child --mount-proc --propagation private bash -euc run
grep -aq '^pytest ended with code 0' "$scratch/serial"
