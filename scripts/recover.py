#!/usr/bin/python3
"""Reads a vault without the program that made it: a second, independent reader of docs/format.md.

    printf %s "$PASSPHRASE" | python3 recover.py VAULT                    check everything, list every environment
    printf %s "$PASSPHRASE" | python3 recover.py VAULT --get NAME [--env E] [--version N] > file     one value, exact bytes
    printf %s "$PASSPHRASE" | python3 recover.py VAULT --export > all.json     every current value, NOT ENCRYPTED

On standard input: the passphrase, a machine token (vlt1_...), or with --recovery the recovery key (VRK1...); one newline at
the end is dropped. --key-file F: the slot wants a key file too. --principal P: whose credential it is, where many share the
vault (the first four are tried). --audit LOG: check the audit log too. Nothing is written but to standard output.
Needs Python 3.11 and, on Debian: apt install python3-cryptography python3-argon2

Exit status: 0 all is well, 2 usage, 3 not found, 4 wrong credential, 5 the principal has expired, 6 the value has expired
(--export has it nevertheless), 7 the file is damaged, forged or of a newer program, 1 anything else.

It cannot open age and PKCS#11 slots, nor what is sealed with HPKE / X-Wing (grants and values of form "seal"): their
signatures and digests are checked, they are named, and the rest is read. It remembers nothing between runs, so an older
whole copy of the vault is not noticed (section 6). Numbers of sections are those of docs/format.md.
"""
import argparse, base64, datetime, hashlib, hmac, json, re, struct, sys, unicodedata, zlib
from collections import deque
from types import SimpleNamespace
try:
    from argon2.low_level import Type, hash_secret_raw
    from cryptography.exceptions import InvalidSignature, InvalidTag
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError as missing:
    sys.exit(f"recover: {missing}; see the top of this file")

FILE, HEAD, LINE, VALUE = 2**30, 2**26, 2**25, 2**24  # bounds of section 1, in bytes


class Fail(Exception):
    """Ends the run: exit status and one line that never has a value or a key in it."""


def need(condition, message, code=7):
    if not condition:
        raise Fail(code, message)


# ---- Section 1: encodings and functions. `v` is the vault id; digests stay base64url text, which has one spelling only.

def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unbase64(text):
    """*bytes*, or None where this is not their one spelling."""
    if type(text) is not str or len(text) % 4 == 1 or not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        return None
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return raw if base64url(raw) == text else None


def encode(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def parse(raw, where):
    """Strict JSON: what is parsed encodes to the same bytes. This finds white space, second spellings, repeated members."""
    try:
        value = json.loads(raw.decode())
        same = encode(value) == raw
    except (ValueError, RecursionError):  # no UTF-8, lone surrogates and endless digits are ValueErrors
        same = False
    need(same, f"{where}: not in the strict encoding")
    return value


def pae(*pieces):
    return struct.pack("<Q", len(pieces)) + b"".join(struct.pack("<Q", len(piece)) + piece for piece in pieces)


def P(v, *pieces):
    label, *rest = [piece if isinstance(piece, bytes) else str(piece).encode() for piece in pieces]
    return pae(b"vault/1", label, v.encode(), *rest)


def digest(v, *pieces):
    return base64url(hashlib.sha256(P(v, *pieces)).digest())


def H(v, line):
    return digest(v, "line", line)


def hkdf(key, salt, info, length):
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(key)


def KD(v, key, *pieces):
    return hkdf(key, b"", P(v, *pieces), 32)


def unseal(key, text, aad, where, bucket=64):
    """`open` of section 1: AES-256-GCM, then the padding: the smallest bucket, all zeros. A bundle's bucket is 1,024."""
    raw = unbase64(text)
    need(len(raw) >= 12 + 64 + 16, f"{where}: too short")
    try:
        padded = AESGCM(key).decrypt(raw[:12], raw[12:], aad)
    except InvalidTag:
        raise Fail(7, f"{where}: does not open") from None
    size = 4 + struct.unpack("<I", padded[:4])[0]
    while bucket < size and bucket < 65536:
        bucket *= 2
    if size > 65536:
        bucket = -(-size // 65536) * 65536
    need(len(padded) == bucket and not padded[size:].strip(b"\0"), f"{where}: wrong padding")
    return padded[4:size]


PRIME = 2**255 - 19
EIGHTH = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7  # y of two of the points of order 8
SMALL_ORDER = {0, 1, PRIME - 1, EIGHTH, PRIME - EIGHTH}  # by y; both signs of x


def y_of(raw):
    return int.from_bytes(raw, "little") & (2**255 - 1)


def check_signature(v, line, key, where, label="sig"):
    """Ed25519 as OpenSSL verifies it: without cofactor, R compared as bytes, S < L. It takes y >= p; RFC 8032 does not."""
    key, signed = unbase64(key), line["raw"][:line["raw"].rindex(b',"sig":"')]
    need(len(key) == 32 and y_of(key) < PRIME, f"{where}: its signer has no key")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(unbase64(line["sig"]), P(v, label, signed))
    except InvalidSignature:
        raise Fail(7, f"{where}: wrong signature") from None


# ---- Grammar. A shape is an object {member: shape}, a tuple (list of that length), a list [shape, most], a constant string,
# or a function that says whether the value is right.

def shape(value, spec, where):
    if isinstance(spec, dict):
        need(type(value) is dict and list(value) == list(spec), f"{where}: wrong members")
        for name in spec:
            shape(value[name], spec[name], f"{where}: {name}")
    elif isinstance(spec, list):
        need(type(value) is list and len(value) <= spec[1], f"{where}: not a list, or too long")
        for item in value:
            shape(item, spec[0], where)
    elif isinstance(spec, tuple):
        need(type(value) is list and len(value) == len(spec), f"{where}: not a list of {len(spec)}")
        for item, part in zip(value, spec):
            shape(item, part, where)
    else:
        need(value == spec if isinstance(spec, str) else spec(value), f"{where}: refused by the grammar")


def num(low=0, high=2**53 - 1):
    return lambda value: type(value) is int and low <= value <= high


def text(low, high):
    return lambda value: type(value) is str and low <= len(value.encode()) <= high


def octets(*lengths):
    return lambda value: (found := unbase64(value)) is not None and (not lengths or len(found) in lengths)


def unknown(value):
    """A new word is of a newer program: section 11 wants it named."""
    return f"{ascii(value)[:60] if type(value) in (str, int) else 'something'} is not known to this reader"


def one_of(*known):
    def check(value):
        need(value in known, unknown(value))
        return True
    return check


def name_of(most, single_word):
    wrong = {"Cc", "Cs", "Zl", "Zp"} | ({"Zs"} if single_word else set())
    bidi = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069" if single_word else ""
    return lambda value: text(1, most)(value) and not any(unicodedata.category(c) in wrong or c in bidi for c in value)


def is_time(value):
    try:
        again = datetime.datetime.fromisoformat(value[:23]).isoformat(timespec="milliseconds")
        return len(value) == 24 and again + "Z" == value
    except (TypeError, ValueError):
        return False


def is_key(value):
    return octets(32)(value) and y_of(unbase64(value)) % PRIME not in SMALL_ORDER


def optional(check):
    return lambda value: value == "" or check(value)


def is_kdf(value):
    need(type(value) is dict and type(value.get("name")) is str, "a slot's kdf is not an object with a name")
    need(value["name"] in KDFS, "kdf " + unknown(value["name"]))
    shape(value, KDFS[value["name"]], "a slot's kdf, or its bounds")  # before any of them runs
    return True


KDFS = {"argon2id": {"name": text(1, 32), "memoryKiB": num(8192, 2097152), "passes": num(1, 32), "lanes": num(1, 16)},
        "pbkdf2-hmac-sha256": {"name": text(1, 32), "iterations": num(100_000, 10_000_000)}, "none": {"name": text(1, 32)}}
ID8, ID16, HASH, PREV, SIG, TIME, ANY = octets(8), octets(16), octets(32), octets(0, 32), octets(64), is_time, 2**53
RIGHTS = ("list", "read", "rotate", "write", "delete")
POLICY = [(text(0, 65536), text(0, 65536)), 1024]
SEAL_PUB = octets(0, 1216)
COUNTED = {"n": num(1), "time": TIME, "by": ID8,
           "seen": {"header": num(), "parts": [(ID8, num(), num(), [(ID8, num()), 1024]), 256]}}
SHARDS = {"bits": num(0, 12), "shards": [(HASH, num()), 4096], "sig": SIG}
PRINCIPAL = {"id": ID8, "name": name_of(128, True), "signPub": optional(is_key), "sealPub": SEAL_PUB,
             **{right: [ID8, 256] for right in RIGHTS}, "expires": optional(TIME), "invited": optional(is_key)}
RETIRED = {"id": ID8, "name": name_of(128, True), "signPub": is_key, "from": num(1), "until": num(1)}
ENVIRONMENT = {"id": ID8, "name": name_of(128, True), "epoch": num(1), "commitEnv": HASH, "commitCatalog": HASH,
               "sealPub": SEAL_PUB, "sealed": octets()}
IN_ENV, OF_SECRET = {"environment": ID8, "epoch": num(1)}, {"environment": ID8, "secret": ID16}
SIGNED = {"time": TIME, "by": ID8, "sig": SIG}
LINES = {  # sections 3 and 5
    "vault": {"format": num(1, 1), "id": ID16},
    "root": {"n": num(), "prev": PREV, "time": TIME, "by": ID8, "admins": [(ID8, is_key), 1024], "sig": SIG},
    "header": {**COUNTED, "root": HASH, "principals": [PRINCIPAL, 1024], "retired": [RETIRED, 4096],
               "environments": [ENVIRONMENT, 256], "policy": POLICY, "sig": SIG},
    "succession": {"principal": ID8, "time": TIME, "signPub": is_key, "sealPub": SEAL_PUB, "prev": HASH, "sig": SIG},
    "slot": {"principal": ID8, "id": ID8,
             "type": one_of("passphrase", "passphrase+keyfile", "recovery", "token", "pkcs11", "age"),
             "kdf": is_kdf, "salt": octets(16), "hint": text(0, 8192), "commit": HASH, "wrapped": octets(92)},
    "bundle": {"n": num(1), "time": TIME, "by": ID8, "slots": [HASH, 16], "sealed": octets(12 + 1024 + 16), "sig": SIG},
    "grant": {"principal": ID8, **IN_ENV, "level": one_of("list", "read"), "form": one_of("wrap", "seal"), "ct": octets()},
    "names": {**IN_ENV, **COUNTED, **SHARDS},
    "values": {**IN_ENV, **COUNTED, **SHARDS},
    "changes": {**IN_ENV, **COUNTED, "base": HASH, "digest": HASH, "size": num(), "sig": SIG},
    "request": {"id": ID8, **OF_SECRET, "version": num(1), "operation": one_of("rotate"), "note": octets(), "epoch": num(1),
                "time": TIME, "expires": TIME, "by": ID8, "sig": SIG},
    "decision": {"id": ID8, "request": ID8, "digest": HASH, "verdict": one_of("approve", "reject"), **SIGNED},
    "snapshot": {"n": num(1), "time": TIME, "by": ID8, "head": HASH, "logs": [(ID16, num(1), HASH), 65536], "sig": SIG},
    "block": {**IN_ENV, "shard": num(0, 4095), "sealed": octets()},
    "value": {**IN_ENV, "secret": ID16, "version": num(1), "state": one_of("live", "pending", "withdrawn"), "time": TIME,
              "author": ID8, "by": ID8, "form": one_of("sym", "seal"), "ct": octets(), "note": octets(), "prev": PREV,
              "decision": octets(0, 8), "sig": SIG},
    "purged": {**OF_SECRET, "through": num(1), "digest": HASH, "last": TIME, **SIGNED},
    "removed": {**OF_SECRET, **SIGNED},
}
BUNDLE = {"signSeed": HASH, "sealSeed": HASH, "wrapKey": HASH, "vault": ID16, "principal": ID8, "root": num(),
          "rootDigest": HASH, "floor": num()}
CARRY = {"auditKeys": [(num(1), HASH), ANY], "policy": POLICY}
ENTRY = {"name": name_of(1024, False), "secret": ID16,
         "type": one_of("api-key", "password", "database-credential", "certificate", "encryption-key", "token", "ssh-key", "note",
                        "other"), "description": text(0, 4096),
         "tags": [(text(0, 256), text(0, 256)), 64],
         "variable": lambda value: type(value) is str and re.fullmatch(r"|[A-Za-z_][A-Za-z0-9_]{0,127}", value),
         "created": TIME, "interval": num(), "hook": text(0, 65536), "removed": optional(TIME)}
NOTE = {"operation": one_of("put", "edit", "rotate", "rollback", "import", "copy"), "rotations": num(),
        "expires": optional(TIME), "graceUntil": optional(TIME)}
RECORD = {"log": ID16, "seq": num(1), "time": TIME, "op": text(1, LINE), "ok": lambda value: type(value) is bool,
          "code": text(0, LINE), "principal": ID8, "environment": octets(0, 8), "secrets": [(ID8, HASH, num()), ANY],
          "context": {name: text(0, 256) for name in ("user", "host", "address", "program", "session")},
          "source": text(1, LINE), "detail": text(0, 1024), "header": num(), "from": PREV, "to": PREV, "prev": PREV, "sig": SIG}
UNLOCK = {"log": ID16, "seq": num(1), "time": TIME, "op": "unlock", "ok": lambda value: value is False, "count": num(1),
          "prev": PREV}


def read_line(line, where):
    need(len(line) <= LINE, f"{where}: longer than 32 MiB")
    value = parse(line, where)
    kind = value.get("kind") if type(value) is dict else None
    if kind == "vault" and value.get("format") != 1:
        raise Fail(7, "format " + unknown(value.get("format")))
    need(type(kind) is str and kind in LINES, f"{where}: kind {unknown(kind)}")
    shape(value, {"kind": kind, **LINES[kind]}, f"{where} ({kind})")
    value["raw"] = line
    return value


def ascending(keys):
    return all(a < b for a, b in zip(keys, keys[1:]))


def place(order, id):
    need(id in order, "a line is of a principal or environment that the header does not list")
    return order[id]


# ---- Sections 2, 3 and 6.1, 6.2: the head. Everything here is checked before a key is derived.

def read_head(data):
    f = SimpleNamespace(data=data, body=0)
    need(data.endswith(b"\n"), "the last line is unfinished")
    f.last, head = data.rfind(b"\n", 0, len(data) - 1) + 1, deque()  # where the snapshot begins
    while f.body < f.last:
        stop = data.index(b"\n", f.body)
        line = read_line(data[f.body:stop], f"line {len(head) + 1}")
        need(head or line["kind"] == "vault", "the first line is not that of a vault")
        if line["kind"] == "block":
            break
        head.append(line)
        f.body = stop + 1
        need(f.body <= HEAD, "the head is longer than 64 MiB")
    f.snapshot = read_line(data[f.last:-1], "last line")
    need(f.snapshot["kind"] == "snapshot", "the last line is not a snapshot")
    f.timed = [line for line in head if "time" in line]

    def take(kind, most=ANY):
        taken = []
        while head and head[0]["kind"] == kind:
            taken.append(head.popleft())
        need(len(taken) <= most, f"too many {kind} lines")
        return taken

    def one(kind):
        need(head and head[0]["kind"] == kind, f"the {kind} line is missing or out of order")
        return head.popleft()

    f.v = one("vault")["id"]
    f.roots, f.header = take("root", 4096), one("header")
    check_roots_and_header(f)
    order = {id: at for at, id in enumerate(f.principals)}
    check_successions(f, order, take("succession"))
    f.joined = {id: p for id, p in f.principals.items() if p["signPub"]}
    check_bundles(f, order, take("slot"), take("bundle"))
    check_grants(f, order, take("grant"))
    f.parts = {}
    for env in f.environments:
        part = f.parts[env] = SimpleNamespace(names=one("names"), values=one("values"), changes=take("changes"))
        need(ascending([place(order, c["by"]) for c in part.changes]), "changes lines out of order")
        for line in [part.names, part.values, *part.changes]:
            need(line["environment"] == env, f"{line['kind']} lines out of order")
            check_signature(f.v, line, key_of(f, line["by"]), line["kind"])
    requests, decisions = take("request", 1024), take("decision", 4096)
    for lines in (requests, decisions):
        need(ascending([unbase64(line["id"]) for line in lines]), "requests or decisions out of order")
    f.requests, f.decisions = {r["id"]: r for r in requests}, {d["id"]: d for d in decisions}
    need(not head, f"{head and head[0]['kind']} line out of order")
    f.D = digest(f.v, "head", data[:f.body])
    need(f.snapshot["head"] == f.D, "the head is not the one that the snapshot names")
    check_signature(f.v, f.snapshot, key_of(f, f.snapshot["by"]), "snapshot")
    need(ascending([unbase64(log) for log, _, _ in f.snapshot["logs"]]), "the snapshot's logs are out of order")
    return f


def key_of(f, principal):
    return f.principals.get(principal, {}).get("signPub", "")


def check_roots_and_header(f):
    """The root chain, then the header, signed by an administrator of the last root."""
    need(f.roots, "there is no root line")
    for n, root in enumerate(f.roots):
        before = f.roots[max(n - 1, 0)]
        need(root["n"] == n and root["prev"] == (H(f.v, before["raw"]) if n else ""), "the roots are no chain")
        distinct = len({id for id, _ in root["admins"]}) == len(root["admins"]) > 0
        need(distinct, "the administrators of a root are not distinct, or none")
        check_signature(f.v, root, dict(before["admins"]).get(root["by"], ""), f"root {n}")
    h = f.header
    need(h["root"] == H(f.v, f.roots[-1]["raw"]), "the header is not for the last root")
    f.principals = {p["id"]: dict(p) for p in h["principals"]}
    f.environments = {e["id"]: e for e in h["environments"]}
    f.env_order = {id: at for at, id in enumerate(f.environments)}
    listed = dict(f.roots[-1]["admins"])
    f.admins = {p["id"] for p in h["principals"] if p["signPub"] and listed.get(p["id"]) == p["signPub"]}
    need(h["by"] in f.admins, "the header's signer is not an administrator")
    check_signature(f.v, h, listed[h["by"]], "header")
    for what in (h["principals"], h["environments"]):
        distinct = len({x["id"] for x in what}) == len(what) == len({x["name"] for x in what})
        need(distinct, "names or ids in the header are not distinct")
    for p in h["principals"]:
        need((p["signPub"] == "") == (p["invited"] != ""), "a principal has neither a key nor an invitation, or both")
        for right in RIGHTS:
            need(ascending([place(f.env_order, env) for env in p[right]]), "rights are not in the order of the environments")
            need(not p[right] or p["id"] not in f.admins, "an administrator with single rights")
            need(right in RIGHTS[:2] or set(p[right]) <= set(p["list"] + p["read"]), "a right without list or read")
        need(not set(p["list"]) & set(p["read"]), "an environment in both list and read")
    spans = sorted((r["id"], r["from"], r["until"]) for r in h["retired"])
    need(all(first <= last for _, first, last in spans), "a retired range that is empty")
    need(all(a[0] != b[0] or a[2] < b[1] for a, b in zip(spans, spans[1:])), "retired ranges overlap")
    check_policy(f, h["policy"])


def check_policy(f, policy):
    """Section 12."""
    need(ascending([key.encode() for key, _ in policy]), "policy keys out of order")
    for key, value in policy:
        need(key in ("environment.default", "retention.versions"), "policy key " + unknown(key))
        known = value in f.environments if key == "environment.default" else re.fullmatch(r"[1-9][0-9]{0,3}|10000", value)
        need(known, f"the value of policy key {key} is not known to this reader")


def check_successions(f, order, lines):
    """From here on the entries of those who were invited and came have their keys."""
    need(ascending([place(order, line["principal"]) for line in lines]), "successions out of order")
    f.successions = {line["principal"] for line in lines}
    for line in lines:
        p = f.principals[line["principal"]]
        need(p["invited"], "a succession of somebody who was not invited")
        need(line["prev"] == H(f.v, encode(p)), "a succession for another entry of the header")
        check_signature(f.v, line, p["invited"], "succession")
        p["signPub"], p["sealPub"] = line["signPub"], line["sealPub"]


def check_bundles(f, order, slots, bundles):
    """Slots have no signature: each bundle has the digests of its principal's."""
    need(ascending([(place(order, s["principal"]), unbase64(s["id"])) for s in slots]), "slots out of order")
    need(len({s["id"] for s in slots}) == len(slots), "two slots have one id")
    need([b["by"] for b in bundles] == list(f.joined), "not one bundle for each principal that has joined, in order")
    f.slots, f.bundles, digests = slots, {b["by"]: b for b in bundles}, {id: [] for id in f.joined}
    for s in slots:
        need((s["kdf"]["name"] == "none") == (s["type"] in ("recovery", "token", "age")), "a slot's kdf is not for its type")
        need(s["principal"] in f.joined, "a slot of a principal that has not joined")
        digests[s["principal"]].append(H(f.v, s["raw"]))
    for b in bundles:
        need(b["slots"] == digests[b["by"]], "a bundle does not list its principal's slots")
        need(b["slots"] or b["by"] not in f.successions, "a succession without a slot")
        check_signature(f.v, b, key_of(f, b["by"]), "bundle")


def check_grants(f, order, grants):
    """Grants have no signature either: what they open to is checked against the header, in environment_keys."""
    places = [(place(order, g["principal"]), place(f.env_order, g["environment"])) for g in grants]
    need(ascending(places), "grants out of order")
    f.grants = {(g["principal"], g["environment"]): g for g in grants}
    for (id, env), g in f.grants.items():
        need(id in f.joined and g["level"] == level(f, id, env), "a grant beside the header's rights")
        need(g["epoch"] == f.environments[env]["epoch"], "a grant of another epoch")
        size = len(unbase64(g["ct"]))
        fits = size == 12 + 64 + 16 if g["form"] == "wrap" else size >= 1120 + 16 and f.joined[id]["sealPub"]
        need(fits, "a grant of the wrong size or form")
    for id in f.joined:  # who has joined by a succession gets its grants from the writer of the next header
        for env in f.environments:
            need((id, env) in f.grants or not level(f, id, env) or id in f.successions, "a grant is missing")


def can(f, id, env, *rights):
    return id in f.admins or any(env in f.principals[id][right] for right in rights)


def level(f, id, env):
    p = f.principals[id]
    return "read" if id in f.admins or env in p["read"] else "list" if env in p["list"] else ""


def check_parts(f):
    """Section 6.5, and what section 3 says of requests, decisions and the snapshot."""
    for line in f.timed:
        need(line["time"] <= f.snapshot["time"], f"a {line['kind']} line is younger than the snapshot")
    parts = [line for part in f.parts.values() for line in (part.names, part.values, *part.changes)]
    for line in [f.header, f.snapshot, *parts]:
        expires = f.principals[line["by"]]["expires"]
        need(not expires or line["time"] <= expires, f"{line['kind']}: signed after its signer expired")
        if line["kind"] != "snapshot":
            check_seen(f, line)
    for env, part in f.parts.items():
        for line in (part.names, part.values, *part.changes):
            rights = ("rotate", "delete") if line["kind"] == "changes" else ("write",)
            need(can(f, line["by"], env, *rights), f"{line['kind']}: its signer has no right to it")
            need(line["epoch"] == f.environments[env]["epoch"], f"{line['kind']}: of another epoch")
            need("bits" not in line or len(line["shards"]) == 2 ** line["bits"], f"{line['kind']}: not 2^bits shards")
            need("base" not in line or line["base"] == H(f.v, part.values["raw"]), "changes: to other values")
    for r in f.requests.values():
        env = f.environments.get(r["environment"])
        check_signature(f.v, r, key_of(f, r["by"]), "request")
        need(env and can(f, r["by"], env["id"], "rotate", "write"), "a request without the right to it")
        need(r["epoch"] <= env["epoch"], "a request of an epoch to come")
    for d in f.decisions.values():
        r = f.requests.get(d["request"])
        need(r and d["digest"] == H(f.v, r["raw"]), "a decision on another request")
        check_signature(f.v, d, key_of(f, d["by"]), "decision")
        right = d["by"] != r["by"] and can(f, d["by"], r["environment"], "write")
        need(right, "a decision without the right to it")
    pairs = {(d["request"], d["by"]) for d in f.decisions.values()}
    need(len(pairs) == len(f.decisions), "two decisions of one signer on a request")
    f.rejected = {d["request"] for d in f.decisions.values() if d["verdict"] == "reject"}


def check_seen(f, line):
    where, seen = f"{line['kind']}: its signer saw a later state than this file's", line["seen"]
    need(seen["header"] <= f.header["n"], where)
    for env, names, values, changes in seen["parts"]:
        if env in f.parts:
            part = f.parts[env]
            need(names <= part.names["n"] and values <= part.values["n"], where)
            have = {c["by"]: c["n"] for c in part.changes}
            need(values != part.values["n"] or all(n <= have.get(by, 0) for by, n in changes), where)


# ---- Sections 3 (slot, bundle), 6.3, 6.4 and 8: unlocking.

def read_token(words):
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    need(re.fullmatch(r"vlt1_[0-9A-Za-z]{60}", words), "this is not a whole machine token", 4)
    body = crc = 0
    for c in words[5:59]:
        body = body * 62 + alphabet.index(c)
    for c in words[59:]:
        crc = crc * 62 + alphabet.index(c)
    need(body < 2**320 and crc == zlib.crc32(words[:59].encode()), "the machine token has a typing error", 4)
    return base64url(body.to_bytes(40, "big")[:8]), body.to_bytes(40, "big")[8:]


def read_recovery_key(words):
    words = words.upper().replace("-", "").replace(" ", "").translate(str.maketrans("OIL", "011"))
    need(re.fullmatch(r"VRK1[0-9A-HJKMNP-TV-Z]{58}", words), "this is not a whole recovery key", 4)
    number = 0
    for c in words[4:]:
        number = number * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(c)
    both = (number >> 2).to_bytes(36, "big")
    check = hashlib.sha256(b"vault recovery key" + both[:32]).digest()[:4]
    need(number % 4 == 0 and both[32:] == check, "the recovery key has a typing error", 4)
    return both[:32]


def unlock(f, credential, recovery, key_file, principal):
    """Finds the slot and opens its principal's bundle; returns the principal's id and the bundle."""
    try:
        words, token_slot, secret = credential.decode(), None, None
    except UnicodeDecodeError:
        raise Fail(4, "the credential is not UTF-8") from None
    if recovery:
        kind, secret = "recovery", read_recovery_key(words)
    elif words.startswith("vlt1_"):
        kind, (token_slot, secret) = "token", read_token(words)
    else:
        kind, words = "passphrase+keyfile" if key_file else "passphrase", unicodedata.normalize("NFC", words)
        need(words, "the passphrase is empty", 4)
    slots = [s for s in f.slots if s["type"] == kind and token_slot in (None, s["id"])
             and principal in (None, s["principal"], f.principals[s["principal"]]["name"])]
    need(slots, f"there is no {kind} slot for this", 4)
    for s in slots if kind == "recovery" else slots[:4]:
        salt, kdf = unbase64(s["salt"]), s["kdf"]
        if kdf["name"] == "argon2id":
            ikm = hash_secret_raw(words.encode(), salt, kdf["passes"], kdf["memoryKiB"], kdf["lanes"], 32, Type.ID, 19)
        elif kdf["name"] == "none":
            ikm = secret
        else:
            ikm = hashlib.pbkdf2_hmac("sha256", words.encode(), salt, kdf["iterations"], 32)
        if kind == "passphrase+keyfile":
            ikm = pae(ikm, hashlib.sha256(key_file).digest(), b"")
        named = ("slot", s["principal"], s["id"], s["type"], encode(kdf))
        okm = hkdf(ikm, salt, P(f.v, *named), 64)
        if hmac.compare_digest(okm[:32], unbase64(s["commit"])):
            break
    else:
        more = "; only four slots were tried, --principal says whose" if len(slots) > 4 else ""
        raise Fail(4, "could not unlock: wrong credential" + more)
    me, b = s["principal"], f.bundles[s["principal"]]
    bundle_key = unseal(okm[32:], s["wrapped"], P(f.v, "slot-wrap", *named[1:], salt, s["hint"], okm[:32]), "slot")
    need(len(bundle_key) == 32, "slot: no bundle key in it")
    opened = parse(unseal(bundle_key, b["sealed"], P(f.v, "bundle", me, b["n"]), "bundle", 1024), "bundle")
    shape(opened, BUNDLE, "bundle")
    signer = Ed25519PrivateKey.from_private_bytes(unbase64(opened["signSeed"])).public_key()
    mine = base64url(signer.public_bytes(Encoding.Raw, PublicFormat.Raw)) == f.principals[me]["signPub"]
    need(mine and opened["vault"] == f.v and opened["principal"] == me, "bundle: of another vault or principal")
    known = opened["root"] < len(f.roots) and H(f.v, f.roots[opened["root"]]["raw"]) == opened["rootDigest"]
    need(known, "the roots are not those that this principal knows")
    need(f.header["n"] >= opened["floor"], "the header is older than the one that this principal knows")
    return me, opened


def environment_keys(f, me, bundle, env, notes):
    """Sections 4 and 6.6: environment key (None for level list) and catalog key; (None, None) if there is neither."""
    g, id, epoch = f.grants.get((me, env["id"])), env["id"], env["epoch"]
    if g is None or g["form"] == "seal":
        why = f"the grant to {f.principals[me]['name']} is sealed (HPKE)" if g else f"no grant to {f.principals[me]['name']}"
        notes.append(f"environment {env['name']}: {why}; signatures and digests were checked, nothing was opened")
        return None, None
    key = unseal(unbase64(bundle["wrapKey"]), g["ct"], P(f.v, "grant", me, id, epoch, g["level"]), "grant")
    need(len(key) == 32, "grant: no key in it")
    env_key, catalog = (key, KD(f.v, key, "catalog", id, epoch)) if g["level"] == "read" else (None, key)
    same = base64url(KD(f.v, catalog, "commit-catalog", id, epoch)) == env["commitCatalog"]
    same &= not env_key or base64url(KD(f.v, env_key, "commit-env", id, epoch)) == env["commitEnv"]
    need(same, "grant: its key is not the one that the header commits to")
    carry = parse(unseal(KD(f.v, catalog, "carry", id, epoch), env["sealed"], P(f.v, "carry", id, epoch), "carry"), "carry")
    shape(carry, CARRY, "carry")
    need(ascending([0, *(e for e, _ in carry["auditKeys"]), epoch]), "carry: epochs out of order")
    check_policy(f, carry["policy"])
    return env_key, catalog


# ---- Section 5: the body, one environment after the other; 6.7 and 6.8 for every secret in it.

def body_lines(f, env, at, size, want, *named):
    """The lines of one shard or changes line, which begins at offset `at`, each with where it stands."""
    need(size <= f.last - at, f"{env['name']}: the body is shorter than its shards")
    need(digest(f.v, "shard", *named, f.data[at:at + size]) == want, f"{env['name']}: wrong digest of {named[0]}")
    stop = at + size
    while at < stop:
        end = f.data.find(b"\n", at, stop)
        need(end >= 0, f"{env['name']}: a shard ends within a line")
        line = read_line(f.data[at:end], env["name"])
        here = line.get("environment") == env["id"] and line.get("epoch", env["epoch"]) == env["epoch"]
        need(here, f"{env['name']}: a line of another environment or epoch")
        yield line, (at, end)
        at = end + 1


def first_bits(raw, bits):
    return int.from_bytes(raw[:2], "big") >> (16 - bits)


def read_catalog(f, env, at, catalog):
    """The blocks of an environment; returns its entries by secret id (none without a key), and the offset behind."""
    id, epoch, bits, entries = env["id"], env["epoch"], f.parts[env["id"]].names["bits"], {}
    for shard, (want, size) in enumerate(f.parts[id].names["shards"]):
        lines = [line for line, _ in body_lines(f, env, at, size, want, "names", id, shard)]
        need([(x["kind"], x.get("shard")) for x in lines] == [("block", shard)], f"{env['name']}: not one block a shard")
        at += size
        if not catalog:
            continue
        block_key, index_key = KD(f.v, catalog, "block", id, epoch), KD(f.v, catalog, "index", id, epoch)
        block = parse(unseal(block_key, lines[0]["sealed"], P(f.v, "block", id, epoch, bits, shard), "block"), "block")
        shape(block, {"entries": [ENTRY, ANY]}, "block")
        need(ascending([e["name"].encode() for e in block["entries"]]), "block: entries out of order")
        for e in block["entries"]:
            mac = hmac.digest(index_key, e["name"].encode(), "sha256")
            need(first_bits(mac, bits) == shard, "block: an entry in the wrong shard")
            need(ascending([(key.encode(), tag.encode()) for key, tag in e["tags"]]), "block: tags out of order")
            need(e["secret"] not in entries, "block: two names of one secret")
            entries[e["secret"]] = e
    return entries, at


def read_values(f, env, at, env_key, catalog, entries):
    """The value, purged and removed lines of an environment; returns its secrets by id, and the offset behind."""
    part, id = f.parts[env["id"]], env["id"]
    secrets = {key: SimpleNamespace(entry=e, lines=[], purged=[], removed=e["removed"]) for key, e in entries.items()}
    regions = [(part.values, shard, *pair) for shard, pair in enumerate(part.values["shards"])]
    regions += [(changes, changes["by"], changes["digest"], changes["size"]) for changes in part.changes]
    for owner, shard, want, size in regions:
        before, inside = (), owner["kind"]
        for line, span in body_lines(f, env, at, size, want, inside, id, shard):
            rank = {"purged": 0, "value": 1, "removed": 2}.get(line["kind"], 3)
            need(rank < (2 if inside == "values" else 3), f"{inside}: a {line['kind']} line there")
            key = (unbase64(line["secret"]), rank, line.get("version", 0))
            need(before < key, f"{inside}: lines out of order")
            before = key
            if inside == "values":
                need(first_bits(key[0], part.values["bits"]) == shard, "values: a line in the wrong shard")
            else:
                need(line["by"] == owner["by"], "changes: a line of another signer")
            check_signature(f.v, line, key_of(f, line["by"]), line["kind"])
            check_rights(f, line)
            empty = SimpleNamespace(entry=None, lines=[], purged=[], removed="")
            s = secrets.setdefault(line["secret"], empty)
            if line["kind"] == "value":
                need(line["time"] <= owner["time"], "value: younger than the part that has it")
                check_decision(f, line)
                open_line(f, env, line, env_key, catalog)
                line["H"] = H(f.v, line["raw"])
                del line["ct"], line["raw"]  # value_of comes back to it by its span
                s.lines.append(line)
            elif line["kind"] == "purged":
                s.purged.append(line)
            else:
                s.removed = s.removed or line["time"]
            line["inside"], line["span"] = inside, span
        at += size
    for s in secrets.values():
        check_versions(s)
    return secrets, at


def open_line(f, env, line, env_key, catalog):
    """Replaces the note of a value line by what is in it, and checks that the value opens, as far as there are keys."""
    if catalog:
        note_key = KD(f.v, catalog, "note", env["id"], env["epoch"])
        aad = P(f.v, "note", env["id"], env["epoch"], line["secret"], line["version"])
        line["note"] = parse(unseal(note_key, line["note"], aad, "note"), "note")
        shape(line["note"], NOTE, "note")
    if env_key and line["form"] == "sym":
        open_value(f, env, env_key, line)


def check_rights(f, line):
    env, by = line["environment"], line["by"]
    if line["kind"] == "value":
        right = can(f, by, env, "write") or can(f, by, env, "rotate") and line["version"] > 1
        right = by in f.admins or right and by == line["author"]
    else:
        right = can(f, by, env, "delete", *(["write"] if line["kind"] == "purged" else []))
    need(right, f"{line['kind']}: its signer has no right to it")


def check_decision(f, line):
    """No policy key of section 12 wants approval yet; a decision that is named must be right all the same."""
    if line["decision"]:
        d = f.decisions.get(line["decision"])
        need(d, "value: its decision is not there")
        r = f.requests[d["request"]]
        asked = (r["environment"], r["secret"], r["version"] + 1, r["by"])
        right = asked == (line["environment"], line["secret"], line["version"], line["author"])
        right = right and r["id"] not in f.rejected and d["time"] < r["expires"] and d["by"] != line["author"]
        need(right or line["state"] != "live", "value: its decision does not approve it")


def open_value(f, env, env_key, line):
    id, epoch = env["id"], env["epoch"]
    aad = P(f.v, "value", id, epoch, line["secret"], line["version"])
    plain = unseal(KD(f.v, env_key, "value", id, epoch), line["ct"], aad, "value")
    need(32 <= len(plain) <= 32 + VALUE and hashlib.sha256(plain[32:]).digest() == plain[:32], "value: wrong checksum")
    return plain[32:]


def check_versions(s):
    """The versions of one secret, those of `values` and of all `changes` together."""
    chosen = {}
    for line in sorted(s.lines, key=lambda line: (line["version"], line["state"] != "pending")):
        first = chosen.get(line["version"])
        if first:  # a pending line may be answered, in changes, by one that makes it live or withdrawn
            answer = first["state"] == "pending" != line["state"] and line["inside"] == "changes"
            need(answer and (first["author"], first["prev"]) == (line["author"], line["prev"]), "two lines for one version")
        chosen[line["version"]] = line
    expected, prev, time = 1, "", ""
    for version, line in chosen.items():
        for p in s.purged:
            need(p["inside"] == "changes" or p["through"] < version, "a purged version is still there")
            if version != expected and p["through"] == version - 1:
                expected, prev, time = version, p["digest"], p["last"]
        need(version == expected and line["prev"] == prev and line["time"] >= time, "the versions of a secret are no chain")
        expected, prev, time = version + 1, line["H"], line["time"]
        for p in s.purged:
            need(p["through"] != version or (p["digest"], p["last"]) == (prev, time), "purged: of another line")
        need(line["state"] != "pending" or version == max(chosen), "a version after a pending one")
    through = max((p["through"] for p in s.purged), default=0)
    s.kept = {version: line for version, line in chosen.items() if version > through}
    s.current = max((version for version, line in s.kept.items() if line["state"] == "live"), default=0)


# ---- Section 9: the audit log.

def check_audit(f, path):
    anchor = {log: (seq, want) for log, seq, want in f.snapshot["logs"]}
    retired = {}
    for r in f.header["retired"]:
        retired.setdefault(r["id"], []).append(r)
    log, seq, prev, met = None, 0, "", False
    with open(path, "rb") as file:
        while line := file.readline(LINE + 2):
            where = f"audit record {seq + 1}"
            need(line.endswith(b"\n") and len(line) <= LINE + 1, f"{where}: unfinished, or too long")
            record = parse(line[:-1], where)
            signed = type(record) is dict and "count" not in record
            shape(record, RECORD if signed else UNLOCK, where)
            record["raw"] = line[:-1]
            first, op = log is None, record["op"]
            need(first == (signed and op in ("log", "prune")), f"{where}: a log starts with `log` or `prune`, and once")
            if first:
                log = record["log"]
            pruned = read_prune(record, anchor.get(log, (0, ""))[0]) if op == "prune" else None
            if pruned:
                seq = pruned[0] - 1
            elif first:
                detail = re.fullmatch(r"new|lost [\w-]{22} [0-9]{1,16} [\w-]{43}", record["detail"], re.ASCII)
                need(detail, "log: wrong detail")
            chained = (record["log"], record["seq"], record["prev"]) == (log, seq + 1, prev)
            need(chained, f"{where}: the records are no chain")
            if signed:
                spans = [r for r in retired.get(record["principal"], []) if r["from"] <= record["header"] <= r["until"]]
                key = spans[0]["signPub"] if spans else key_of(f, record["principal"])
                check_signature(f.v, record, key, where, "audit")
            seq, prev = record["seq"], digest(f.v, "record", record["raw"])
            met |= anchor.get(log) == (seq, prev)
            if pruned:
                admin = any([record["principal"], key] in root["admins"] for root in f.roots)
                need(admin, "prune: not by an administrator")
                prev = pruned[1]  # what follows chains to the last record that was removed
                met |= anchor[log] == (seq, prev)
    need(log, "the audit log is empty")
    need(met or log not in anchor, "the audit log has no such record as the snapshot names")
    named = f"the snapshot names number {anchor[log][0]}" if met else "the snapshot does not name it"
    return f"audit log {log}: whole, last number {seq}, {named}"


def read_prune(record, anchor):
    """Returns number and digest of the last record that was removed."""
    detail = re.fullmatch(r"([0-9]{1,16}) ([0-9]{1,16}) [0-9]{1,16} ([\w-]{43}) [\w-]{43}", record["detail"], re.ASCII)
    need(detail and int(detail[1]) <= int(detail[2]), "prune: wrong detail")
    need(anchor >= int(detail[2]), "prune: the snapshot does not name its log at or after it")
    return int(detail[2]), detail[3]


# ---- What is shown.

def listing(f, catalogs, now):
    last, signer = f.snapshot, f.principals[f.snapshot["by"]]["name"]
    out = [f"vault {f.v}  header {f.header['n']}  snapshot {last['n']} of {last['time']} by {signer}  state {f.D}"]
    for env, (_, _, secrets) in catalogs.items():
        out.append(f"environment {f.environments[env]['name']}  epoch {f.environments[env]['epoch']}")
        for s in sorted(secrets.values(), key=lambda s: s.entry["name"].encode() if s.entry else b""):
            words = [s.entry["name"], s.entry["type"]] if s.entry else ["(no name)", "-"]
            words += [f"version {s.current}" if s.current else "no current version"]
            words += [f"kept {min(s.kept)}-{max(s.kept)}" if s.kept else "none kept"]
            words += [f"version {n} {line['state']}" for n, line in s.kept.items() if line["state"] != "live"]
            words += [f"version {n} sealed (HPKE), not opened" for n, line in s.kept.items() if line["form"] == "seal"]
            words += [f"removed {s.removed}"] * bool(s.removed) + ["expired"] * expired(s, s.current, now)
            out.append("  " + "  ".join(words))
    return out


def expired(s, version, now):
    note = s.kept[version]["note"] if version in s.kept else ""
    return type(note) is dict and "" < note["expires"] < now


def value_of(f, env, env_key, s, version):
    """The bytes of a version whose line was checked before."""
    need(s.kept[version]["form"] == "sym" and env_key, "this value is sealed (HPKE), or there is no right to read it", 1)
    return open_value(f, env, env_key, read_line(f.data[slice(*s.kept[version]["span"])], "value"))


def which_environment(f, me, name):
    """The one of that name; without a name the principal's only one, or section 12's default."""
    named = {e["name"]: id for id, e in f.environments.items()}
    if name is not None:
        need(name in named, "no such environment", 3)
        return named[name]
    mine = [id for id in f.environments if level(f, me, id)]
    need(mine, "this principal has no environment", 3)
    usual = named.get("development", next(iter(f.environments)))
    return mine[0] if len(mine) == 1 else dict(f.header["policy"]).get("environment.default", usual)


def get(f, catalogs, now, id, name, version):
    env_key, catalog, secrets = catalogs[id]
    need(catalog, "this environment cannot be opened: no right to it, or its grant is sealed (HPKE)", 1)
    found = [s for s in secrets.values() if s.entry and s.entry["name"] == name]
    need(found and (version or not found[0].removed), "no such secret in this environment", 3)
    version = version or found[0].current
    need(version in found[0].kept, "no such version is kept", 3)
    need(not expired(found[0], version, now), "this value has expired (--export has it)", 6)
    return value_of(f, f.environments[id], env_key, found[0], version)


def export(f, catalogs, now, notes):
    out = {"vault": f.v, "environments": {}}
    for id, (env_key, _, secrets) in catalogs.items():
        env = f.environments[id]
        here = out["environments"][env["name"]] = {}
        for s in secrets.values():
            if not s.entry or not s.current or s.removed:
                continue
            name, version = s.entry["name"], s.current
            if s.kept[version]["form"] != "sym" or not env_key:
                notes.append(f"not exported, sealed (HPKE) or not to be read: {env['name']} {name} version {version}")
                continue
            here[name] = {"version": version, "type": s.entry["type"], "expired": expired(s, version, now)}
            value = value_of(f, env, env_key, s, version)
            try:
                here[name]["value"] = value.decode()
            except UnicodeDecodeError:
                here[name]["base64"] = base64.b64encode(value).decode()
    return json.dumps(out, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def read_file(path, most, what):
    with open(path, "rb") as file:
        data = file.read(most + 1)
    need(len(data) <= most, f"{what} is too large")
    return data


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Fail(2, message)


def arguments():
    parser = Parser("recover", description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("vault")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--list", action="store_true")
    action.add_argument("--get", metavar="NAME")
    action.add_argument("--export", action="store_true")
    for option, wanted in (("env", "E"), ("version", "N"), ("audit", "LOG"), ("key-file", "F"), ("principal", "P")):
        parser.add_argument("--" + option, metavar=wanted)
    parser.add_argument("--recovery", action="store_true")
    args = parser.parse_args()
    need(args.get is not None or args.env is None and args.version is None, "--env and --version go with --get", 2)
    need(args.version is None or re.fullmatch(r"[1-9][0-9]{0,15}", args.version), "--version wants a number", 2)
    return args


def read_credential(args):
    """Standard input without one newline at its end, and the key file."""
    key_file = read_file(args.key_file, 2**20, "the key file") if args.key_file else None
    need(key_file is None or len(key_file) >= 32, "a key file has at least 32 bytes", 2)
    credential = sys.stdin.buffer.read(2**20 + 1)
    need(len(credential) <= 2**20, "standard input is too long for a credential", 2)
    return credential[:-1] if credential.endswith(b"\n") else credential, key_file


def run():
    """Everything of section 6, in its order, before anything is shown."""
    args = arguments()
    credential, key_file = read_credential(args)
    f = read_head(read_file(args.vault, FILE, "the vault"))
    me, bundle = unlock(f, credential, args.recovery, key_file, args.principal)
    check_parts(f)
    clock = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")[:23] + "Z"
    now, expires = max(clock, f.snapshot["time"]), f.principals[me]["expires"]
    need(not expires or now <= expires, "this principal has expired", 5)
    notes, catalogs, taken, at = [], {}, set(), f.body
    for id, env in f.environments.items():
        env_key, catalog = environment_keys(f, me, bundle, env, notes) if level(f, me, id) else (None, None)
        entries, at = read_catalog(f, env, at, catalog)
        secrets, at = read_values(f, env, at, env_key, catalog, entries)
        need(not taken & set(secrets), "one secret id in two environments")
        taken |= set(secrets)
        catalogs[id] = (env_key, catalog, secrets)
        for r in f.requests.values():
            if catalog and (r["environment"], r["epoch"]) == (id, env["epoch"]):
                note_key = KD(f.v, catalog, "note", id, r["epoch"])
                unseal(note_key, r["note"], P(f.v, "request", id, r["epoch"], r["id"]), "request")
    need(at == f.last, "there are lines between the body and the snapshot")
    for (id, env), g in f.grants.items():
        if g["form"] == "seal" and id != me:
            whom = f.principals[id]["name"]
            notes.append(f"environment {f.environments[env]['name']}: the grant to {whom} is sealed (HPKE), not opened")
    report = [check_audit(f, args.audit)] if args.audit else []
    if args.get is not None:
        output = get(f, catalogs, now, which_environment(f, me, args.env), args.get, int(args.version or 0))
    elif args.export:
        output = export(f, catalogs, now, notes)
    else:
        output, notes = "".join(line + "\n" for line in [*listing(f, catalogs, now), *notes, *report]).encode(), []
    sys.stdout.buffer.write(output)
    sys.stdout.buffer.flush()
    for note in notes if args.export else []:
        sys.stderr.buffer.write(f"recover: note: {note}\n".encode())


def main():
    try:
        run()
        return 0
    except Fail as failure:
        code, message = failure.args
    except OSError as error:
        code, message = 1, f"{ascii(error.filename or 'standard output')}: {error.strerror}"
    except MemoryError:
        code, message = 1, "not enough memory"
    except (Exception, KeyboardInterrupt) as error:  # never a traceback: it could show a key
        code, message = 1, f"unexpected {type(error).__name__}"
    sys.stderr.buffer.write(f"recover: {message}\n".encode(errors="backslashreplace"))
    return code


if __name__ == "__main__":
    sys.exit(main())
