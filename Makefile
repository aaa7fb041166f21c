# make        builds bin/backplane and what runs inside its boards
# make demo   installs what is needed, builds all, the kernel too, and runs the thermal appliance
# make test   runs the whole test suite, real guests included
# make fuzz   runs each fuzz target for FUZZTIME (10s)
# make bench  measures, beside its peers, what docs/benchmarks.md says

GO ?= go
SCENARIO := scenarios/thermal/thermal.toml

.PHONY: all demo test fuzz bench check packages firmware kernels emulators schemas generated bin/backplane

all: bin/backplane firmware

# Without C it needs less address space before it can say that it has too little, and its
# second start, before each board's, is a shorter one.
bin/backplane:
	CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./cmd/backplane

# What runs inside boards is static and knows nothing of this machine.
BOARD_GO := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w'

firmware:
	$(BOARD_GO) -o bin/firmware/init ./firmware/init
	$(BOARD_GO) -o bin/firmware/bench/load ./tests/programs/load
	gcc -O2 -Wall -Werror -static -s -o bin/firmware/bench/pulse tests/programs/pulse/pulse.c
	$(BOARD_GO) -o bin/firmware/sensor/usr/bin/sensord ./firmware/sensord
	$(BOARD_GO) -o bin/firmware/controller/usr/bin/controllerd ./firmware/controllerd
	$(BOARD_GO) -o bin/firmware/heartbeat/usr/bin/heartbeatd ./firmware/heartbeatd
	$(BOARD_GO) -o bin/firmware/ledger/usr/bin/ledgerd ./firmware/ledgerd
	GOARCH=arm64 $(BOARD_GO) -o bin/firmware/arm64/sensor/usr/bin/sensord ./firmware/sensord
	GOARCH=arm64 $(BOARD_GO) -o bin/firmware/arm64/controller/usr/bin/controllerd ./firmware/controllerd

packages:
	tools/packages

demo: packages all
	bin/backplane kernel build --flavour virtual
	bin/backplane run $(SCENARIO)

# The root of scenarios/debian-board: a minute, and 100 MB of Debian's packages
bin/images/debian.img: | bin/backplane
	mkdir -p bin/images
	SOURCE_DATE_EPOCH=1767225600 bin/backplane image build $@ scenarios/debian-board/settings --suite bookworm \
		--include systemd-sysv,udev,dbus,ifupdown,isc-dhcp-client --size 1G --label system

# The root of boards of scenarios/arm64-firmware and arm64-debian. Nothing has set its packages up: the settings have what is missing most.
bin/images/debian-arm64.img: | bin/backplane
	mkdir -p bin/images
	SOURCE_DATE_EPOCH=1767225600 bin/backplane image build $@ scenarios/arm64-debian/settings --suite bookworm --arch arm64 --size 1G \
		--include busybox-static,i2c-tools,gpiod,systemd-sysv,udev,dbus,libpam-systemd,base-files,util-linux,login,passwd,dash

kernels: bin/backplane
	bin/backplane kernel build --flavour all

emulators: bin/backplane
	bin/backplane emulator build

schemas: bin/backplane
	for kind in board appliance scenario; do bin/backplane schema $$kind > boards/schema/$$kind.json; done

# What the catalog makes: unit tests hold these files against it
generated: schemas
	bin/backplane parts --kernel-config > firmware/kernel/parts.config
	bin/backplane parts --markdown > docs/parts.md

check:
	test -z "$$(gofmt -l .)" || { gofmt -l .; echo "gofmt these files"; exit 1; }
	$(GO) vet ./...
	$(GO) tool -modfile=tools/go.mod staticcheck ./...

test: packages all kernels emulators check
	$(GO) test -count=1 -timeout 80m ./...

fuzz:
	GO="$(GO)" tools/fuzz

bench: packages all kernels
	bin/backplane bench
