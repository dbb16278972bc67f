"""The real grpcurl over mTLS: list, describe with comments, put, get, increment, and an error with its details."""

import json
import subprocess
import sys

from pair import SOURCE, Pair, check, check_equal, run

SKIPPED = 77

# Built into build/tools where there is none; skipped where there is no Go either.
finder = SOURCE / "deploy" / "dev" / "grpcurl.sh"
found = subprocess.run([finder, "install"], stdout=subprocess.PIPE, text=True, timeout=280)
if found.returncode != 0:
    sys.exit(SKIPPED if found.returncode == SKIPPED else 1)
grpcurl = found.stdout.strip()

with Pair() as pair:
    pair.start()
    tls = [f"-cacert={pair.certs}/ca.crt", f"-cert={pair.certs}/client.crt", f"-key={pair.certs}/client.key"]
    address = f"localhost:{pair.kvs_port}"

    def call(method, request, expect=0):
        done = run([grpcurl, *tls, "-d", "@", address, method], check=False, input=json.dumps(request))
        check(done.returncode == expect, f"{method} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stderr if expect else json.loads(done.stdout)

    services = run([grpcurl, *tls, address, "list"]).stdout.split()
    for name in ("IntStore", "UintStore", "FloatStore", "StringStore", "SetStore", "MapStore", "Keys", "Batch", "Maintenance"):
        check(f"kvs.v1.{name}" in services, f"{name} is not listed in {services}")
    check("grpc.health.v1.Health" in services, "health is not listed")

    described = run([grpcurl, *tls, address, "describe", "kvs.v1.IntStore"]).stdout
    check("rpc Increment" in described and "// Adds to a number" in described, described)
    described = run([grpcurl, *tls, address, "describe", "kvs.v1.IntStorePutRequest"]).stdout
    check("// 1 to 1,024 bytes" in described, described)

    check_equal(call("kvs.v1.IntStore/Put", {"key": "visits", "value": 41})["replaced"], False)
    check_equal(call("kvs.v1.IntStore/Get", {"key": "visits"})["value"], "41")
    check_equal(call("kvs.v1.IntStore/Increment", {"key": "visits"})["value"], "42")
    call("kvs.v1.IntStore/Put", {"key": "zero", "value": 0})
    check_equal(call("kvs.v1.IntStore/Get", {"key": "zero"})["value"], "0")
    call("kvs.v1.MapStore/PutFields", {"key": "host:1", "fields": {"rack": "7", "city": "Oslo"}})
    check_equal(call("kvs.v1.MapStore/Get", {"key": "host:1"})["fields"], {"city": "Oslo", "rack": "7"})
    check_equal(call("grpc.health.v1.Health/Check", {"service": "kvs.write"})["status"], "SERVING")

    not_found = 64 + 5
    error = call("kvs.v1.IntStore/Get", {"key": "nobody"}, expect=not_found)
    check("NotFound" in error and "KEY_NOT_FOUND" in error and "google.rpc.ErrorInfo" in error, error)
    invalid = 64 + 3
    error = call("kvs.v1.IntStore/Put", {"key": "visits"}, expect=invalid)
    check("value must be set" in error, error)

    # A precondition that fails shows what is there, as JSON: the reflection knows the detail's message.
    already_exists, aborted = 64 + 6, 64 + 10
    small = call("kvs.v1.StringStore/Put", {"key": "small", "value": "text"})["revision"]
    error = call("kvs.v1.StringStore/Put", {"key": "small", "value": "x", "precondition": {"mustNotExist": True}},
                 expect=already_exists)
    check("KEY_EXISTS" in error and "kvs.v1.PreconditionFailure" in error, error)
    check(f'"currentRevision": "{small}"' in error and '"stringValue": "text"' in error, error)
    check("valueOmitted" not in error and "@value" not in error, error)

    large = call("kvs.v1.StringStore/Put", {"key": "large", "value": "x" * (1 << 20)})["revision"]
    error = call("kvs.v1.StringStore/Put", {"key": "large", "value": "y", "precondition": {"revisionEquals": small}},
                 expect=aborted)
    check("Code: Aborted" in error and "REVISION_MISMATCH" in error, error)
    check(f'"currentRevision": "{large}"' in error and '"valueOmitted": true' in error, error)
    check("currentValue" not in error and "@value" not in error, error)
    kept = call("kvs.v1.StringStore/Put", {"key": "large", "value": "y", "precondition": {"revisionEquals": large}})
    check_equal(kept["replaced"], True)

    # Batches; the errors of single operations are decoded, too.
    operations = [{"intIncrement": {"key": "visits"}}, {"intGet": {"key": "nobody"}},
                  {"stringPut": {"key": "small", "value": "x", "precondition": {"mustNotExist": True}}}]
    results = call("kvs.v1.Batch/Execute", {"operations": operations})["results"]
    check_equal(results[0]["intIncrement"]["value"], "43")
    check_equal(results[1]["error"]["details"][0]["reason"], "KEY_NOT_FOUND")
    check_equal(results[2]["error"]["details"][1]["currentRevision"], small)
    check_equal(results[2]["error"]["details"][1]["currentValue"], {"stringValue": "text"})
    error = call("kvs.v1.Batch/Execute", {"operations": operations, "atomic": True}, expect=not_found)
    check("KEY_NOT_FOUND" in error and '"operation": "1"' in error, error)
    results = call("kvs.v1.Batch/Execute", {"operations": [operations[0], operations[0]], "atomic": True})["results"]
    check_equal([result["intIncrement"]["value"] for result in results], ["44", "45"])

print("ok")
