"""Runs scripts/recover.py many times in one process: on standard input a line of JSON a run, [arguments, what goes in];
on standard output a line a run, [exit status, bytes written to standard output, text of standard error]."""
import importlib.util, io, json, sys

sys.dont_write_bytecode = True
spec = importlib.util.spec_from_file_location("recover", sys.argv[1])
recover = importlib.util.module_from_spec(spec)
spec.loader.exec_module(recover)
real, results = sys.stdin, []
for line in real:
    arguments, credential = json.loads(line)
    sys.argv, sys.stdin = ["recover.py", *arguments], io.TextIOWrapper(io.BytesIO(credential.encode()))
    sys.stdout, sys.stderr = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    status = recover.main()
    written, said = sys.stdout.buffer.getvalue(), sys.stderr.buffer.getvalue().decode()
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    results.append([status, len(written), said])
print("\n".join(json.dumps(result) for result in results))
