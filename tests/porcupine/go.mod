// Test only: porcupine looks for an order of what clients of the generated Go code saw.
module kvs.test/porcupine

go 1.23.0

require (
	github.com/anishathalye/porcupine v1.0.2
	github.com/kvs/kvs v0.0.0
	google.golang.org/genproto/googleapis/rpc v0.0.0-20250218202821-56aae31c358a
	google.golang.org/grpc v1.72.2
)

require (
	golang.org/x/net v0.35.0 // indirect
	golang.org/x/sys v0.30.0 // indirect
	golang.org/x/text v0.22.0 // indirect
	google.golang.org/protobuf v1.36.6 // indirect
)

// The generated code, which deploy/dev/porcupine.sh makes.
replace github.com/kvs/kvs => ../../build/porcupine
