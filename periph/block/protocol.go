package block

import "backplane/periph/block/image"

// Feature bits (section 5.2.3).
const (
	featureSegMax      = 1 << 2
	featureReadOnly    = 1 << 5
	featureBlockSize   = 1 << 6
	featureFlush       = 1 << 9
	featureTopology    = 1 << 10
	featureConfigWCE   = 1 << 11
	featureDiscard     = 1 << 13
	featureWriteZeroes = 1 << 14
)

// Configuration space (struct virtio_blk_config): offsets of the fields that are not 0.
const (
	configCapacity       = 0 // in sectors
	configSegMax         = 12
	configBlockSize      = 20
	configPhysicalExp    = 24 // log2 of logical blocks in a physical one
	configMinIO          = 26
	configOptIO          = 28
	configWriteback      = 32
	configMaxDiscard     = 36 // sectors
	configMaxDiscardSeg  = 40
	configDiscardAlign   = 44 // sectors
	configMaxZeroes      = 48 // sectors
	configMaxZeroesSeg   = 52
	configZeroesMayUnmap = 56
	configSize           = 60
)

// A request (section 5.2.6): a head, data in one direction, and the status.
const (
	headSize   = 16
	headType   = 0
	headSector = 8
	statusSize = 1

	typeIn          = 0
	typeOut         = 1
	typeFlush       = 4
	typeID          = 8
	typeDiscard     = 11
	typeWriteZeroes = 13

	statusOK          = 0
	statusIOError     = 1
	statusUnsupported = 2
	statusNone        = 0xff // the request is still to be carried out

	idSize = 20
)

// A segment of a discard or write-zeroes request.
const (
	segmentSize    = 16
	segmentSector  = 0
	segmentSectors = 8
	segmentFlags   = 12
	flagUnmap      = 1
)

const (
	sectorSize = image.SectorSize
	// maxSegments is how many pieces a request may have: a ring of 128 entries takes it
	// without an indirect table, too.
	maxSegments = 126
	// maxErase is how many sectors one segment of a discard or write-zeroes request may have.
	maxErase         = 1 << 22
	maxEraseSegments = 16
	physicalExp      = 3 // blocks of 4 KiB, which an overlay has
	alignment        = image.BlockSize / sectorSize
)
