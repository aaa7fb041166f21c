package tests

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	disks "backplane/periph/block"
	"backplane/periph/block/image"
	"backplane/periph/net"
	"backplane/periph/vhostuser"
	"backplane/periph/virtio"
	"backplane/simbus"
	"backplane/simbus/ether"
	"backplane/simbus/hostfile"
	"backplane/tests/guesttest"
)

// alone serves a device to QEMU, in real time, and returns the socket.
func alone(t *testing.T, d *simbus.Domain, dev virtio.Device) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "q") // sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	var s *vhostuser.Server
	d.Do(func() {
		s, err = vhostuser.Listen(path, dev, vhostuser.Options{Poller: d, EventFD: true, OnError: func(err error) { t.Error(err) }})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Do(s.Close) })
	return path
}

// realDomain is one in real time.
func realDomain(t *testing.T, cal *simbus.Calendar, name string) *simbus.Domain {
	t.Helper()
	d, err := cal.AddDomain(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestQEMUDisk has QEMU's vhost-user-blk-pci drive a disk of ours: the kernel that finds it
// on a PCI bus writes, reads, flushes and discards, and makes a file system on it.
func TestQEMUDisk(t *testing.T) {
	cal := simbus.NewReal()
	defer cal.Close()
	d := realDomain(t, cal, "disk")
	dir := t.TempDir()
	raw, overlay := filepath.Join(dir, "raw.img"), filepath.Join(dir, "kept.overlay")
	data := make([]byte, 64<<20)
	chance := rand.NewChaCha8([32]byte{1})
	_, _ = chance.Read(data) // which never fails
	if err := os.WriteFile(raw, data, 0o644); err != nil {
		t.Fatal(err)
	}
	medium := image.Medium{Image: raw, Keep: overlay}
	contents, durable, err := medium.Open(hostfile.Open, false)
	if err != nil {
		t.Fatal(err)
	}
	disk := disks.New("disk0", disks.Options{Serial: "BP-1", Cache: 8 << 20, Clock: d, Post: d.Post})
	disk.Insert(contents, durable)
	socket := alone(t, d, disk)
	out := guesttest.QEMU(t, guesttest.Rootfs(t, "mkfs.ext4", "e2fsck", "blkdiscard"), `
cd /sys/block/vda; cat serial; echo; cat size queue/write_cache queue/physical_block_size
head -c 1048576 /dev/vda | md5sum
dd if=/dev/urandom of=/tmp/pattern bs=1M count=8 2>/dev/null
md5sum </tmp/pattern
dd if=/tmp/pattern of=/dev/vda bs=64k seek=768 oflag=direct conv=fsync,notrunc 2>/dev/null
echo 3 >/proc/sys/vm/drop_caches
dd if=/dev/vda bs=64k skip=768 count=128 2>/dev/null | md5sum
/usr/sbin/blkdiscard -o 60M -l 1M /dev/vda
/usr/sbin/blkdiscard -z -o 61M -l 1M /dev/vda
mkfs.ext4 -q /dev/vda 48M; mount /dev/vda /mnt
cp /bin/busybox /mnt/file; umount /mnt; e2fsck -fn /dev/vda >/dev/null; echo whole`,
		"-chardev", "socket,id=disk,path="+socket, "-device", "vhost-user-blk-pci,chardev=disk")
	sums := strings.Fields(out)
	if want := fmt.Sprintf("BP-1 131072 write back 4096 %x", md5.Sum(data[:1<<20])); !strings.HasPrefix(strings.Join(sums, " "), want) || !strings.HasSuffix(out, "\nwhole\n") || sums[7] != sums[9] {
		t.Fatalf("the guest says\n%s", out)
	}
	var flushes float64
	d.Do(func() { flushes = disk.Get("flushes").Float() })
	if flushes < 2 {
		t.Errorf("%v flushes have come", flushes)
	}
	d.Do(func() { err = disk.Close() })
	if err == nil {
		err = image.Commit(t.Context(), overlay, hostfile.Open)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum := md5.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f, 48<<20, 8<<20)); err != nil || fmt.Sprintf("%x", sum.Sum(nil)) != sums[7] {
		t.Errorf("the image does not have what the guest has written (%v)", err)
	}
	erased := make([]byte, 2<<20)
	if _, err := f.ReadAt(erased, 60<<20); err != nil || !bytes.Equal(erased, make([]byte, 2<<20)) {
		t.Errorf("what was discarded and zeroed is not zero (%v)", err)
	}
	if out, err := exec.Command("e2fsck", "-fn", raw).CombinedOutput(); err != nil {
		t.Errorf("e2fsck of the image: %v\n%s", err, out)
	}
}

// TestQEMUNetwork has QEMU's vhost-user drive two network ports of ours on one segment:
// pings and a TCP stream go from one to the other, with every offload that they agree on.
// They have no MSI-X (vectors=0), with which QEMU 7.2 crashes where it has no KVM: without
// use_guest_notifier_mask, which its vhost_net_start takes away, it relies on KVM's irqfd.
func TestQEMUNetwork(t *testing.T) {
	cal := simbus.NewReal()
	defer cal.Close()
	lan, err := ether.NewSegment(cal, "lan", ether.SegmentConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var args []string
	for i, name := range []string{"left", "right"} {
		d := realDomain(t, cal, name)
		mac := []byte{2, 0, 0, 0, 0, byte(i)}
		nic := net.New("eth0", mac)
		nic.Offload = true
		nic.Port = lan.AddPort(name+".eth0", d, nic.Receive)
		args = append(args, "-chardev", "socket,id="+name+",path="+alone(t, d, nic), "-netdev", "vhost-user,chardev="+name+",id=net"+name,
			"-device", "virtio-net-pci,netdev=net"+name+",vectors=0,mac="+nic.MAC().String())
	}
	out := guesttest.QEMU(t, guesttest.Rootfs(t, "/usr/sbin/ip"), `
/usr/sbin/ip netns add far; /usr/sbin/ip link set eth1 netns far
/usr/sbin/ip addr add 10.0.0.1/24 dev eth0; /usr/sbin/ip link set eth0 up
/usr/sbin/ip netns exec far /usr/sbin/ip addr add 10.0.0.2/24 dev eth1; /usr/sbin/ip netns exec far /usr/sbin/ip link set eth1 up
busybox ping -c 5 -i 0.1 -s 1000 10.0.0.2 | grep received
dd if=/dev/urandom of=/tmp/pattern bs=1M count=20 2>/dev/null
busybox mkfifo /tmp/open; exec 9<>/tmp/open # without which nc would end the stream at once
/usr/sbin/ip netns exec far nc -l -p 5000 <&9 >/tmp/got &
while ! /usr/sbin/ip netns exec far busybox netstat -ltn | grep -q :5000; do usleep 10000; done
nc 10.0.0.2 5000 </tmp/pattern; wait
md5sum </tmp/pattern; md5sum </tmp/got`, args...)
	lines := strings.Split(out, "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "5 packets transmitted, 5 packets received") || lines[1] != lines[2] {
		t.Errorf("the guest says\n%s", out)
	}
}
