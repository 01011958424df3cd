#!/usr/bin/python3
"""Reads a vault without the program that made it: a second, independent reader of docs/format.md.

    printf %s "$PASSPHRASE" | python3 recover.py VAULT                      check everything, list every environment
    printf %s "$PASSPHRASE" | python3 recover.py VAULT --get NAME [--env E] [--version N] > file  one value, exact bytes
    printf %s "$PASSPHRASE" | python3 recover.py VAULT --export > all.json  every current value, NOT ENCRYPTED

On standard input: the passphrase, a machine token (vlt1_...), or with --recovery the recovery key (VRK1...); a newline
at the end is dropped. --key-file F: the slot wants a key file too. --principal P: whose credential it is, where several
have one of its type. --audit LOG: check the audit log too, after what was pruned from it (--archive F, oldest first)
and against checkpoints (--checkpoint F). Only standard output is written.
Needs Python 3.11 and, on Debian: apt install python3-cryptography python3-argon2

Exit status: 0 all is well, 2 usage, 3 not found, 4 wrong credential, 5 the principal has expired, 6 the value has
expired (--export has it nevertheless), 7 the file is damaged, forged or of a newer program, 1 anything else. A line
of the body that does not hold spoils its own secret alone: it is named, the rest is given, and the status is 7 at last.

It cannot open age and PKCS#11 slots, nor grants and values that are sealed with HPKE: it names those, and reads the
rest. It does not judge approvals, and remembers nothing: an older whole copy of the vault is not noticed (section 6).
Numbers of sections are those of docs/format.md. Where an id names nothing the code stumbles: main() reports damage."""
import argparse, base64, contextlib, datetime, hashlib, hmac, itertools, json, re, sys, unicodedata, zlib
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FILE, HEAD, LINE, VALUE = 2**30, 2**26, 2**25, 2**24  # bounds of section 1, in bytes

class Fail(Exception):
    """Ends the run: exit status and one line that never has a value or a key in it."""

def need(condition, message, code=7):
    if not condition:
        raise Fail(code, message)

PRELIMINARY = ("log", "torn", "aborted", "replaced")  # what somebody who joins may have to record before

# ---- Grammar and bounds: sections 1, 3, 5, 9 and 12. A line has only one spelling, so regular expressions describe it.

def text(least, most):
    return rf'"([^"\\]|\\u....|\\.){{{least},{most}}}+"'  # in bytes; each escape is of one

def octets(size):
    """In base64url; the unused bits of the last character are zero."""
    return rf'"[-\w]{{{size * 8 // 6}}}{["", "[AQgw]", "[AEIMQUYcgkosw048]"][size * 8 % 6 // 2]}"'

def many(item, most=2**31, least=0):
    return rf"\[({item}(,{item}){{{max(least - 1, 0)},{most - 1}}}+){'?' if least == 0 else ''}\]"

def row(*types):
    return r"\[" + ",".join(T[of] for of in types) + r"\]"

def members(words):
    """An object, by words `name:TYPE`, `name:TYPE?` where it may be "", and `name:` with a regular expression."""
    pairs = [word.split(":", 1) for word in words.split()]
    shapes = [T.get(of) or (f'(""|{T[of[:-1]]})' if of[:-1] in T else of) for _, of in pairs]
    return r"\{" + ",".join(f'"{name}":{shape}' for (name, _), shape in zip(pairs, shapes)) + r"\}"

T = {"N": r"(0|[1-9]\d*)", "N1": r"[1-9]\d*", "BOOL": "(true|false)", "ID": octets(8), "ID16": octets(16),
     "TIME": r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"', "HASH": octets(32), "SIG": octets(64), "SEAL": octets(1216),
     "CT": r'"[-\w]{123,}+"', "WRAPPED": octets(12 + 64 + 16), "HPKE": octets(1120 + 32 + 16), "KEY": octets(32),
     "WORD": text(1, 128), "SHORT": text(0, 64), "HOST": text(0, 256), "TEXT": text(0, 65536),
     "NOKDF": r'\{"name":"none"\}',
     "KDF": r'\{"name":("argon2id","memoryKiB":\d+,"passes":\d+,"lanes":\d+|"pbkdf2-hmac-sha256","iterations":\d+)\}'}
T["IDS"], T["POLICY"], T["CHANGES"] = many(T["ID"], 256), many(row("TEXT", "TEXT"), 1024), many(row("ID", "N1"), 1024)
T["SEEN"] = members(f"header:N parts:{many(row('ID', 'N', 'N', 'CHANGES'), 256)}")
RIGHTS = ["list", "read", "rotate", "write", "delete"]
PRINCIPAL = members("id:ID name:WORD signPub:KEY? sealPub:SEAL? " + " ".join(f"{right}:IDS" for right in RIGHTS)
                    + " expires:TIME? invited:KEY?")
RETIRED = members("id:ID name:WORD signPub:KEY from:N1 until:N1")
ENVIRONMENT = members("id:ID name:WORD epoch:N1 commitEnv:HASH commitCatalog:HASH sealPub:SEAL? sealed:CT")
PART = "environment:ID epoch:N1 n:N1 time:TIME by:ID seen:SEEN "
SHARDED = PART + f"bits:([0-9]|1[0-2]) shards:{many(row('HASH', 'N'), 4096, 1)} sig:SIG"
SLOT = "principal:ID id:ID type:{} kdf:{} salt:{} hint:{} commit:{} wrapped:{}"
SLOTS = [SLOT.format(type, kdf, octets(16), hint, "HASH", "WRAPPED") for type, kdf, hint in [
    (r'"passphrase(\+keyfile)?"', "KDF", "TIME?"), ('"(recovery|token)"', "NOKDF", '""'),
    ('"pkcs11"', "KDF", text(1, 8192)), ('"age"', "NOKDF", text(1, 8192))]]
SLOTS.append(SLOT.format('"removed"', "NOKDF", '"A{22}"', "TIME", '"A{43}"', '""'))
GRANT = 'principal:ID environment:ID epoch:N1 level:"(list|read)" '
LINES = {  # the members of every line after `kind`, in this order
    "vault": ["format:1 id:ID16"], "names": [SHARDED], "values": [SHARDED], "slot": SLOTS,
    "root": [f"n:N prev:HASH? time:TIME by:ID admins:{many(row('ID', 'KEY'), 1024, 1)} sig:SIG"],
    "header": [f"n:N1 time:TIME by:ID seen:SEEN root:HASH principals:{many(PRINCIPAL, 1024, 1)} retired:"
               f"{many(RETIRED, 4096)} environments:{many(ENVIRONMENT, 256)} policy:POLICY sig:SIG"],
    "succession": ["principal:ID time:TIME signPub:KEY sealPub:SEAL prev:HASH sig:SIG"],
    "bundle": [f"n:N1 time:TIME by:ID slots:{many(T['HASH'], 16)} sealed:{octets(12 + 1024 + 16)} sig:SIG"],
    "grant": [GRANT + 'form:"wrap" ct:WRAPPED', GRANT + 'form:"seal" ct:HPKE'],
    "changes": [PART + "base:HASH digest:HASH size:N sig:SIG"],
    "request": ['id:ID environment:ID secret:ID16 version:N1 operation:"rotate" note:CT epoch:N1 time:TIME expires:TIME'
                " by:ID sig:SIG"],
    "decision": ['id:ID request:ID digest:HASH verdict:"(approve|reject)" time:TIME by:ID sig:SIG'],
    "snapshot": [f"n:N1 time:TIME by:ID head:HASH logs:{many(row('ID16', 'N1', 'HASH'), 65536)} sig:SIG"],
    "block": ["environment:ID epoch:N1 shard:N sealed:CT"],
    "value": ['environment:ID epoch:N1 secret:ID16 version:N1 state:"(live|pending|withdrawn)" time:TIME author:ID'
              ' by:ID form:"(sym|seal)" ct:CT note:CT prev:HASH? decision:ID? sig:SIG'],
    "purged": ["environment:ID secret:ID16 through:N1 digest:HASH last:TIME time:TIME by:ID sig:SIG"],
    "removed": ["environment:ID secret:ID16 time:TIME by:ID sig:SIG"]}
LINES = {kind: "|".join(members(f'kind:"{kind}" {words}') for words in all) for kind, all in LINES.items()}
BUNDLE = members("signSeed:HASH sealSeed:HASH wrapKey:HASH vault:ID16 principal:ID root:N rootDigest:HASH floor:N")
CARRY = members(f"auditKeys:{many(row('N1', 'HASH'))} policy:POLICY")
TYPE = "(api-key|password|database-credential|certificate|encryption-key|token|ssh-key|note|other)"
TAGS = many(rf"\[{text(1, 256)},{text(0, 256)}\]", 64)
BLOCK = members("entries:" + many(members(
    f'name:{text(1, 1024)} secret:ID16 type:"{TYPE}" description:{text(0, 4096)} tags:{TAGS}'
    r' variable:"([A-Za-z_]\w{0,127})?" created:TIME interval:N hook:TEXT removed:TIME?')))
NOTE = members('operation:"(put|edit|rotate|rollback|import|copy)" rotations:N expires:TIME? graceUntil:TIME?')
UNLOCK = members('log:ID16 seq:N1 time:TIME op:"unlock" ok:false count:N1 prev:HASH?')
CONTEXT = members("user:HOST host:HOST address:HOST program:HOST session:HOST")
RECORD = members(f"log:ID16 seq:N1 time:TIME op:SHORT ok:BOOL code:SHORT principal:ID environment:ID? secrets:"
                 f"{many(row('ID', 'HASH', 'N'))} context:{CONTEXT} source:SHORT detail:{text(0, 1024)} header:N1"
                 " from:HASH? to:HASH? prev:HASH? sig:SIG")
PRUNED = " ".join([f"({T['N1']})"] * 3 + [f"({T['HASH']})".replace('"', "")] * 2)
CHECKPOINT = members('kind:"checkpoint" vault:ID16 generation:N1 head:HASH log:ID16 seq:N1 digest:HASH time:TIME by:ID'
                     " header:N1 sig:SIG")
KDF = {"argon2id": {"memoryKiB": (8192, 2097152), "passes": (1, 32), "lanes": (1, 16)},
       "pbkdf2-hmac-sha256": {"iterations": (100_000, 10_000_000)}, "none": {}}
ANY_ID, DAYS = octets(8).strip('"'), [str(n) for n in range(3651)]
PRUNED_LOG = f"{octets(16)}=[1-9]\\d{{0,15}}:{octets(32)}".replace('"', "")
CENTURY = r"0|[1-9]\d{0,3}|[12]\d{4}|3[0-5]\d{3}|36[0-4]\d\d|36500"
POLICY = {  # of the header
    "audit.days": CENTURY, "retention.days": CENTURY,
    "audit.pruned": f"{PRUNED_LOG}(,{PRUNED_LOG})*",
    "environment.default": ANY_ID, "factors.administrators": "[12]", "factors.everyone": "[12]",
    "kdf.function": "argon2id|pbkdf2", "passphrase.days": "|".join(DAYS), "rekey.days": "|".join(DAYS),
    "retention.versions": r"[1-9]\d{0,3}|10000", "tokens.reissue": f"{ANY_ID}(,{ANY_ID})*"}
ORDER = {  # section 2: the lines of the head, and those of a shard, ascend strictly by this
    "vault": (0,), "root": (1, "n"), "header": (2,), "succession": (3, "principal"), "slot": (4, "principal", "id"),
    "bundle": (5, "by"), "grant": (6, "principal", "environment"), "names": (7, "environment", 0),
    "values": (7, "environment", 1), "changes": (7, "environment", 2, "by"), "request": (8, "id"),
    "decision": (9, "id"), "block": ("shard",), "purged": ("secret", 0), "value": ("secret", 1, "version"),
    "removed": ("secret", 2)}
BODY = {"names": ["block"], "values": ["purged", "value"], "changes": ["purged", "value", "removed"]}
SIGNERS = {  # sections 3 and 5: the signer of a line has one of these in its environment; an administrator has all
    "names": ["write"], "values": ["write"], "changes": ["rotate", "delete"], "request": ["rotate", "write"],
    "decision": ["write"], "value": ["write", "rotate"], "purged": ["delete", "write"], "removed": ["delete"]}

# ---- Section 1: encodings and functions. Digests and ids stay base64url text, which has one spelling only.

def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

def unbase64(text):
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    need(base64url(raw) == text, "a text in base64url has a second spelling")
    return raw

def encode(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

def parse(raw, expression, what):
    """What is parsed encodes to the same bytes: that finds repeated members, for instance. Times are real dates."""
    need(len(raw) <= LINE, f"{what}: longer than 32 MiB")
    need(re.fullmatch(expression.encode(), raw), f"{what}: members are not as they should be")
    value = json.loads(raw.decode(), parse_int=integer)
    need(encode(value) == raw, f"{what}: not in the strict encoding")
    for time in re.findall(rb'"(?:time|expires|last|created|removed|graceUntil|hint)":"(\d{4}-[^"]{18}Z)"', raw):
        datetime.datetime.fromisoformat(time.decode())
    return value

def integer(digits):
    need(int(digits) < 2**53, "a number above 2^53 - 1")
    return int(digits)

def lines(data, *kinds):
    *whole, rest = data.split(b"\n")
    need(not rest, "an unfinished line")
    for raw in whole:
        kind = (re.match(rb'{"kind":"(\w{1,20})"', raw) or [b"", b"of no line"])[1].decode()
        need(kind in kinds, f"kind {kind} has no place here, or is not known to this reader")
        line = parse(raw, LINES[kind], kind)
        [unbase64(line[member]) for member in ("sealed", "ct", "note") if member in line]
        yield line

def pae(*pieces):
    return b"".join([len(pieces).to_bytes(8, "little"), *(len(x).to_bytes(8, "little") + x for x in pieces)])

def hkdf(key, salt, info):
    """64 bytes; the first 32 are what a length of 32 gives."""
    key = hmac.digest(salt, key, "sha256")
    first = hmac.digest(key, info + b"\1", "sha256")
    return first + hmac.digest(key, first + info + b"\2", "sha256")

def unseal(key, text, aad, bucket=64):
    """`open`: AES-256-GCM, then the padding: the smallest bucket, all zeros. A bundle's bucket is 1,024."""
    raw = unbase64(text)
    padded = AESGCM(key).decrypt(raw[:12], raw[12:], aad)
    size = 4 + int.from_bytes(padded[:4], "little")
    while bucket < min(size, len(padded)):
        bucket += min(bucket, 65536)
    need(size <= len(padded) == bucket and not padded[size:].strip(b"\0"), "wrong padding")
    return padded[4:size]

def public_key(text):
    """Refuses the points of small order, by their y, and y coordinates of p and above."""
    p, eighth = 2**255 - 19, 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7
    y = int.from_bytes(unbase64(text), "little") % 2**255
    need(y < p and y not in (0, 1, p - 1, eighth, p - eighth), "a public key that is none, or of small order")
    return Ed25519PublicKey.from_public_bytes(unbase64(text))

def shard_of(raw, bits):
    return int.from_bytes(raw[:2], "big") >> (16 - bits)

def ascend(keys, what):
    need(all(a < b for a, b in itertools.pairwise(keys)), f"{what}: out of order, or twice")

def check_name(name, *more):
    """No control characters and no separators of lines; for some names, more characters and categories of Unicode."""
    found = {*name, *map(unicodedata.category, name)}
    need(not found & {"Cc", "Zl", "Zp", *more}, "a name with characters that it may not have")

BIDI = [*map(chr, [0x61c, 0x200e, 0x200f, *range(0x202a, 0x202f), *range(0x2066, 0x206a)])]

STUMBLES = (InvalidTag, InvalidSignature, LookupError, TypeError, ValueError, AttributeError, RecursionError)

def secret(entry):
    """What is known of one: its entry in the catalog, and its lines, each with the kind of its part."""
    return {"entry": entry, "value": [], "purged": [], "removed": [], "kept": {}, "current": 0, "spoiled": ""}

@contextlib.contextmanager
def spoils(s):
    """A line of the body that does not hold spoils its own secret alone: the rest can be read."""
    try:
        yield
    except (Fail, *STUMBLES) as error:
        s["spoiled"] = s["spoiled"] or (error.args[1] if isinstance(error, Fail) else f"({type(error).__name__})")

class Vault:
    def __init__(self, data):
        """Reads head and snapshot, and checks what needs no key, before one is derived (sections 2, 3, 6)."""
        start = re.match(rb'{"kind":"vault","format":(\w{1,16}),', data)
        need(start, "this is not a vault")
        need(start[1] == b"1", f"format {start[1].decode()} is not known to this reader")
        self.data, self.tail = data, data.rfind(b"\n", 0, -1) + 1  # where the snapshot begins
        self.at = data.find(b'\n{"kind":"block",') + 1 or self.tail  # where the body begins; it moves on with reading
        need(self.at <= HEAD, "the head is longer than 64 MiB")
        head = list(lines(data[:self.at], *(kind for kind, (first, *_) in ORDER.items() if type(first) is int)))
        self.snapshot, = lines(data[self.tail:], "snapshot")
        self.of = {kind: [line for line in head if line["kind"] == kind] for kind in LINES}
        self.v, self.header = head[0]["id"], self.of["header"][0]
        self.principals = {p["id"]: dict(p) for p in self.header["principals"]}
        self.environments = {e["id"]: e for e in self.header["environments"]}
        ranks = [{id: rank for rank, id in enumerate(ids)} for ids in (self.principals, self.environments)]
        self.rank = {"principal": ranks[0], "by": ranks[0], "environment": ranks[1]}
        self.check_order(head)
        self.state = self.digest("head", data[:self.at])
        need(self.snapshot["head"] == self.state, "the head is not the one that the snapshot names")
        self.check_roots()
        self.check_header()
        self.check_credentials()
        self.check_parts()
        self.check_approvals()
        for line in head:
            need(line.get("time", "") <= self.snapshot["time"], f"{line['kind']}: younger than the snapshot")

    def check_order(self, found):
        def place(word, value):
            return self.rank[word][value] if word in self.rank else unbase64(value) if type(value) is str else value
        ascend([[x if type(x) is int else place(x, line[x]) for x in ORDER[line["kind"]]] for line in found], "lines")

    def P(self, label, *pieces):
        return pae(b"vault/1", *(x if isinstance(x, bytes) else str(x).encode() for x in (label, self.v, *pieces)))

    def digest(self, *pieces):
        return base64url(hashlib.sha256(self.P(*pieces)).digest())

    def H(self, line):
        return self.digest("line", encode(line))

    def KD(self, key, *pieces):
        return hkdf(key, b"", self.P(*pieces))[:32]

    def open(self, key, label, line, text, *more):
        """What is sealed under a key of section 4: label, environment and epoch derive that key, and start the aad."""
        named = (label, line["environment"], line["epoch"])
        return unseal(self.KD(key, *named), text, self.P(*named, *more))

    def can(self, id, environment, *rights):
        return id in self.admins or any(environment in self.principals[id][right] for right in rights)

    def keys(self, id, number=None):
        """The retired keys of a principal (those for this number of the header), then the one of today."""
        old = [r for r in self.header["retired"] if r["id"] == id]
        old = [r for r in old if number is None or r["from"] <= number <= r["until"]]
        return [x["signPub"] for x in [*old, self.principals.get(id)] if x and x["signPub"]]

    def check_signature(self, line, keys, label="sig"):
        """Ed25519 as OpenSSL verifies it, with one of the keys: without cofactor, R compared as bytes, S < L."""
        raw = encode(line)
        for key in keys:
            try:
                return public_key(key).verify(unbase64(line["sig"]), self.P(label, raw[:raw.rindex(b',"sig":"')]))
            except InvalidSignature:
                pass
        raise Fail(7, f"{line.get('kind', 'audit record')}: wrong signature, or not of who may sign it")

    def check_signer(self, line, environment=None):
        """Right and signature. Requests and decisions may be of a key, or a principal, that is retired since."""
        by, kind, asking = line["by"], line["kind"], line["kind"] in ("request", "decision")
        free = kind not in SIGNERS or asking and by not in self.principals
        need(free or self.can(by, environment, *SIGNERS[kind]), f"{kind}: its signer has no right to it")
        self.check_signature(line, self.keys(by) if asking else [self.principals[by]["signPub"]])

    def check_roots(self):
        """The root chain, then the header, signed by an administrator of the last root."""
        header, signers, prev = self.header, None, ""
        need(len(self.of["root"]) <= 4096, "too many roots")
        for n, root in enumerate(self.of["root"]):
            self.admins = dict(root["admins"])
            need((root["n"], root["prev"]) == (n, prev), "the roots are no chain")
            need(len(self.admins) == len(root["admins"]), "root: an administrator twice")
            self.check_signature(root, [(signers or self.admins)[root["by"]]])
            signers, prev = self.admins, self.H(root)
        same = all(self.principals[id]["signPub"] == key for id, key in self.admins.items())
        need(same and header["root"] == prev, "the header is not for the last root and its administrators")
        self.check_signature(header, [self.admins[header["by"]]])

    def check_header(self):
        header, environments = self.header, self.environments
        for x in (header["principals"], header["environments"]):
            need(len({y["id"] for y in x}) == len(x) == len({y["name"] for y in x}), "names or ids are not distinct")
        for x in [*header["principals"], *header["retired"], *header["environments"]]:
            check_name(x["name"], "Zs", *BIDI)
            [public_key(x[member]) for member in ("signPub", "invited") if x.get(member)]
        for p in header["principals"]:
            rights = [[id for id in environments if id in p[right]] for right in RIGHTS]
            need(rights == [p[right] for right in RIGHTS], "rights: environments out of order, or not listed")
            list, read, *more = map(set, rights)
            need(not list & read and set().union(*more) <= list | read, "rights that do not go together")
            need(not (p["id"] in self.admins and list | read), "rights of an administrator")
            fits = p["invited"] in ("", p["signPub"]) if p["signPub"] else p["invited"]
            need(fits, "a principal that has neither joined nor is awaited")
            sealing = {*p["rotate"], *p["write"]} - read
            need(all(environments[id]["sealPub"] for id in sealing), "an environment without a key to seal to")
        ranges = sorted((r["id"], r["from"], r["until"]) for r in header["retired"])
        need(all(first <= last < header["n"] for _, first, last in ranges), "retired: not a range of the past")
        need(all(a[0] != b[0] or a[2] < b[1] for a, b in itertools.pairwise(ranges)), "retired: ranges that meet")
        ascend([key.encode() for key, _ in header["policy"]], "policy")
        for key, value in header["policy"]:
            fits = re.fullmatch(POLICY.get(key, "(?!)"), value)
            logs = value.split(",") if key == "audit.pruned" else []
            need(fits and len(logs) == len({*logs}) and (key != "environment.default" or value in environments),
                 f"policy {ascii(key)[:60]}, or its value, is not known to this reader")

    def check_credentials(self):
        """Slots and grants have no signature: bundles name the first, the second open to what the header commits to."""
        for line in self.of["succession"]:
            p = self.principals[line["principal"]]
            need(p["signPub"] == "" and line["prev"] == self.H(p), "succession: for another entry of the header")
            self.check_signature(line, [p["invited"]])
            p.update(signPub=line["signPub"], sealPub=line["sealPub"])
        slots, self.bundles = {id: [] for id in self.principals}, {b["by"]: b for b in self.of["bundle"]}
        for s in self.of["slot"]:
            slots[s["principal"]].append(self.H(s))
            bounds = KDF[s["kdf"]["name"]].items()
            need(all(low <= s["kdf"][name] <= high for name, (low, high) in bounds), "slot: its kdf is out of bounds")
        need(len({s["id"] for s in self.of["slot"]}) == len(self.of["slot"]), "two slots of one id")
        for id, p in self.principals.items():  # whom the header awaits by its own key may have joined since
            has, awaited = id in self.bundles, p["invited"] == p["signPub"]
            need(awaited or has == bool(p["signPub"]), "not one bundle for each principal that has joined")
            need(slots[id] == (self.bundles[id]["slots"] if has else []), "a bundle does not list exactly its slots")
            need(slots[id] or not (has and p["invited"]), "a principal joined without a slot")
        for b in self.of["bundle"]:
            self.check_signer(b)
        self.grants = {(g["principal"], g["environment"]): g for g in self.of["grant"]}
        timely = [p for p in self.header["principals"] if not p["expires"] or p["expires"] >= self.header["time"]]
        want = [(p["id"], e["id"], e["epoch"], level) for p in timely if p["signPub"]
                for e in self.header["environments"] for level in [self.level(p["id"], e["id"])] if level]
        have = [(*key, g["epoch"], g["level"]) for key, g in self.grants.items()]
        need(have == want, "grants are not those that the header's rights and epochs want")

    def level(self, id, environment):
        return "read" if self.can(id, environment, "read") else "list" if self.can(id, environment, "list") else None

    def check_parts(self):
        """Names, values, changes and snapshot (section 6.5)."""
        self.parts = {id: {"changes": {}} for id in self.environments}
        order = [[line["environment"] for line in self.of[kind]] for kind in ("names", "values")]
        need(order == [[*self.parts]] * 2, "not one names and one values line for each environment")
        parts = self.of["names"] + self.of["values"] + self.of["changes"]
        for line in parts:
            kind, id, part = line["kind"], line["environment"], self.parts[line["environment"]]
            self.check_signer(line, id)
            need(line["epoch"] == self.environments[id]["epoch"], f"{kind}: of another epoch")
            if kind == "changes":
                part["changes"][line["by"]] = line
                need(line["base"] == self.H(part["values"]), "changes: to other values")
            else:
                part[kind] = line
                need(len(line["shards"]) == 2 ** line["bits"], f"{kind}: not 2^bits shards")
        self.check_signer(self.snapshot)
        need(self.snapshot["by"] in self.bundles, "snapshot: of a principal that has not joined")
        ascend([unbase64(log) for log, *_ in self.snapshot["logs"]], "logs")
        for line in [self.header, *parts, self.snapshot]:
            need(line["time"] <= (self.principals[line["by"]]["expires"] or "~"), f"{line['kind']}: its signer expired")
            seen = line.get("seen", {"header": 0, "parts": []})
            later = seen["header"] > self.header["n"]
            for id, names, values, changes in [x for x in seen["parts"] if x[0] in self.parts]:
                part = self.parts[id]
                later |= names > part["names"]["n"] or values > part["values"]["n"]
                have = {by: change["n"] for by, change in part["changes"].items()}
                later |= values == part["values"]["n"] and any(n > have.get(by, 0) for by, n in changes)
            need(not later, f"{line['kind']}: its signer saw a later state than this file's")

    def check_approvals(self):
        requests, decisions = {r["id"]: r for r in self.of["request"]}, self.of["decision"]
        need(len(requests) <= 1024 and len(decisions) <= 4096, "too many requests or decisions")
        need(len({(d["request"], d["by"]) for d in decisions}) == len(decisions), "two decisions of one signer")
        for line in [*requests.values(), *decisions]:
            r = requests[line.get("request", line["id"])]
            self.check_signer(line, r["environment"])
            need(r["epoch"] <= self.environments[r["environment"]]["epoch"], "request: of an epoch to come")
            need(line is r or line["digest"] == self.H(r) and line["by"] != r["by"], "decision: on another request")

    def unlock(self, kind, slot, secret, key_file, principal):
        """Sections 3 (slot, bundle), 6.3 and 6.4: returns the principal's entry and wrapKey."""
        slots = [s for s in self.of["slot"] if s["type"] == kind and slot in (None, s["id"])
                 and principal in (None, s["principal"], self.principals[s["principal"]]["name"])]
        names = sorted({self.principals[s["principal"]]["name"] for s in slots})
        need(len(names) < 2, f"whose credential is it? --principal {' or '.join(names)}", 2)
        for s in slots if kind == "recovery" else slots[:4]:
            salt, kdf, key = unbase64(s["salt"]), s["kdf"], secret
            if kdf["name"] == "argon2id":
                key = hash_secret_raw(secret, salt, kdf["passes"], kdf["memoryKiB"], kdf["lanes"], 32, Type.ID, 19)
            elif kdf["name"] != "none":
                key = hashlib.pbkdf2_hmac("sha256", secret, salt, kdf["iterations"], 32)
            if kind == "passphrase+keyfile":
                key = pae(key, hashlib.sha256(key_file).digest(), b"")
            named = (s["principal"], s["id"], s["type"], encode(kdf))
            okm = hkdf(key, salt, self.P("slot", *named))
            if hmac.compare_digest(okm[:32], unbase64(s["commit"])):
                break
        else:
            raise Fail(4, f"could not unlock: wrong credential ({len(slots)} slots of its type)")
        me, bundle = self.principals[s["principal"]], self.bundles[s["principal"]]
        key = unseal(okm[32:], s["wrapped"], self.P("slot-wrap", *named, salt, s["hint"], okm[:32]))
        mine = unseal(key, bundle["sealed"], self.P("bundle", me["id"], bundle["n"]), 1024)
        mine = parse(mine, BUNDLE, "sealed text of a bundle")
        need((mine["vault"], mine["principal"]) == (self.v, me["id"]), "bundle: of another vault or principal")
        signer = Ed25519PrivateKey.from_private_bytes(unbase64(mine["signSeed"]))
        public_key(me["signPub"]).verify(signer.sign(b""), b"")  # it is the key of signPub
        same = self.H(self.of["root"][mine["root"]]) == mine["rootDigest"]
        need(same and self.header["n"] >= mine["floor"], "roots or header are not those that this principal knows")
        return me, unbase64(mine["wrapKey"])

    def open_environment(self, env, me, wrap_key):
        """Keys and body of one environment (sections 4, 5, 6.6 to 6.8): all is checked, and opened where possible."""
        id, epoch, grant = env["id"], env["epoch"], self.grants.get((me["id"], env["id"]))
        here = {"name": env["name"], "epoch": epoch, "key": None, "catalog": None, "secrets": {}, "policy": []}
        here["passed over"] = []
        if grant and grant["form"] == "wrap":
            key = unseal(wrap_key, grant["ct"], self.P("grant", me["id"], id, epoch, grant["level"]))
            here["catalog"] = key
            if grant["level"] == "read":
                here.update(key=key, catalog=self.KD(key, "catalog", id, epoch))
                need(base64url(self.KD(key, "commit-env", id, epoch)) == env["commitEnv"], "grant: another key")
            same = base64url(self.KD(here["catalog"], "commit-catalog", id, epoch)) == env["commitCatalog"]
            need(same, "grant: another key")
            carry = self.open(here["catalog"], "carry", {"environment": id, "epoch": epoch}, env["sealed"])
            carry = parse(carry, CARRY, "sealed text of an environment")
            ascend([number for number, _ in carry["auditKeys"]] + [epoch], "audit keys of earlier epochs")
            here["policy"] = carry["policy"]
        parts = self.parts[id]
        for part in [parts["names"], parts["values"], *parts["changes"].values()]:
            self.read_part(here, part)
        for s in here["secrets"].values():
            with spoils(s):
                same = not here["catalog"] or bool(s["entry"]) == bool(s["value"])
                need(same, "a name without versions, or the reverse")
                self.check_versions(s)
        return here

    def read_part(self, here, part):
        kind, id, bits = part["kind"], part["environment"], part.get("bits", 0)
        for shard, (want, size) in enumerate(part.get("shards", [(part.get("digest"), part.get("size"))])):
            start, self.at = self.at, self.at + size
            raw, name = self.data[start:min(self.at, self.tail)], part["by"] if kind == "changes" else shard
            same = len(raw) == size and self.digest("shard", kind, id, name, raw) == want
            need(same, f"{kind}: wrong digest or size of a shard")
            try:
                found = self.lines_of(part, shard, raw)
            except (Fail, *STUMBLES) as error:
                if kind != "changes":
                    raise
                found = []  # what are no lines there says nothing
                here["passed over"].append(error.args[1] if isinstance(error, Fail) else f"({type(error).__name__})")
            for line in found:
                if kind != "names":
                    self.read_line(here, line, part)
                elif here["catalog"]:
                    self.read_block(here, line, bits)

    def lines_of(self, part, shard, raw):
        kind, id, bits = part["kind"], part["environment"], part.get("bits", 0)
        found = [*lines(raw, *BODY[kind])]
        self.check_order(found)
        need(kind != "names" or [line["shard"] for line in found] == [shard], "not one block for each shard")
        for line in found:
            fits = (line["environment"], line.get("epoch", part["epoch"])) == (id, part["epoch"])
            fits = fits and (kind == "names" or shard_of(unbase64(line["secret"]), bits) == shard)
            need(fits, f"{line['kind']}: of another environment, epoch or shard")
        return found

    def read_block(self, here, line, bits):
        entries = parse(self.open(here["catalog"], "block", line, line["sealed"], bits, line["shard"]), BLOCK, "names")
        entries, index = entries["entries"], self.KD(here["catalog"], "index", line["environment"], line["epoch"])
        ascend([e["name"].encode() for e in entries], "names")
        for e in entries:
            check_name(e["name"])
            ascend([key.encode() for key, _ in e["tags"]], "tags")
            fits = shard_of(hmac.digest(index, e["name"].encode(), "sha256"), bits) == line["shard"]
            need(fits and e["secret"] not in here["secrets"], "a name of another shard, or two of one secret")
            here["secrets"][e["secret"]] = secret(e)

    def read_line(self, here, line, part):
        s = here["secrets"].setdefault(line["secret"], secret(None))
        s[line["kind"]].append((line, part["kind"]))
        with spoils(s):
            self.check_line(here, line, part)

    def check_line(self, here, line, part):
        kind, by, id = line["kind"], line["by"], line["environment"]
        self.check_signer(line, id)
        need(part["kind"] == "values" or by == part["by"], "changes: a line of another signer")
        if kind == "value":
            own = by == line["author"] and (line["version"] > 1 or self.can(by, id, "write"))
            need(own or by in self.admins, "value: its signer has no right to it")
            need(line["time"] <= part["time"], "value: younger than the part that has it")
            self.expires(here, line)
            if here["key"] and line["form"] == "sym":
                self.open_value(here, line)

    def expires(self, here, line):
        """What the note of a version says, or the end of time."""
        if not here["catalog"]:
            return "~"
        note = self.open(here["catalog"], "note", line, line["note"], line["secret"], line["version"])
        return parse(note, NOTE, "note of a version")["expires"] or "~"

    def open_value(self, here, line):
        need(here["key"] and line["form"] == "sym", "this value is sealed (HPKE), or there is no right to read it", 1)
        plain = self.open(here["key"], "value", line, line["ct"], line["secret"], line["version"])
        need(hashlib.sha256(plain[32:]).digest() == plain[:32] and len(plain) <= 32 + VALUE, "value: wrong checksum")
        return plain[32:]

    def check_versions(self, s):
        """The versions of one secret, those of `values` and of all `changes` together (section 5)."""
        kept, through, before = {}, 0, (0, "", "")  # before: number, digest and time of what a version comes after
        for line, part in sorted(s["value"], key=lambda x: (x[0]["version"], x[0]["state"] != "pending")):
            first = kept.get(line["version"])  # a pending one may be answered in changes
            answer = first and first["state"] == "pending" != line["state"] and part == "changes"
            answer = answer and (first["author"], first["prev"]) == (line["author"], line["prev"])
            need(not first or answer, "two lines for one version")
            kept[line["version"]] = line
        for p, part in s["purged"]:  # in changes, the versions are still there
            mark, line = (p["through"], p["digest"], p["last"]), kept.get(p["through"])
            through = max(through, p["through"])
            if part == "values":
                before = mark
            else:
                need(line and mark[1:] == (self.H(line), line["time"]), "purged: of another version than that there")
        for version, line in kept.items():
            chained = (version, line["prev"]) == (before[0] + 1, before[1]) and line["time"] >= before[2]
            chained = chained and (line["state"] != "pending" or version == max(kept))
            need(chained, "the versions of a secret are no chain")
            before = (version, self.H(line), line["time"])
        s["kept"] = {version: line for version, line in kept.items() if version > through}
        s["current"] = max((version for version, line in s["kept"].items() if line["state"] == "live"), default=0)
        s["gone"] = bool(s["removed"] or s["entry"] and s["entry"]["removed"])

    def check_audit(self, path, archives=(), checkpoints=()):
        """Section 9: encoding, numbers, chain, signatures, summaries, and what snapshot and checkpoints name."""
        anchors = [("the snapshot", *x) for x in self.snapshot["logs"]]
        anchors += [("a checkpoint", *self.check_checkpoint(raw)) for raw in checkpoints]
        wanted, found = {number for _, _, number, _ in anchors}, {}
        log, seq, prev, pruned, signers, bad, owed = None, 0, "", 0, [], {}, set()
        for name in [*archives, path]:
            with open(name, "rb") as file:
                first = True
                while raw := file.readline(LINE + 2):
                    signed, where = b',"count":' not in raw, f"audit record {seq + 1}"
                    need(raw.endswith(b"\n"), f"{where}: an unfinished line")
                    record = parse(raw[:-1], RECORD if signed else UNLOCK, where)
                    summary, first = first and record["op"] == "prune", False
                    starts = summary or record["op"] != "prune" and (log is None) == (record["op"] == "log")
                    need(starts, f"{where}: not how a log starts")
                    log, fail = log or record["log"], None
                    if signed:
                        by = record["principal"], [*self.keys(record["principal"], record["header"]), ""][0]
                        try:
                            need(by[1], f"{where}: signed by nobody that the vault knows")
                            self.check_signature(record, [by[1]], "audit")
                        except Fail as wrong:
                            fail = wrong
                    if summary:  # in the place of what was removed; what follows chains to the last of it
                        numbers = re.fullmatch(PRUNED, record["detail"])
                        need(numbers and any([*by] in root["admins"] for root in self.of["root"]),
                             "prune: not by an administrator")
                        if fail:
                            raise fail
                        low, high, count, last = *map(int, numbers.groups()[:3]), numbers[4]
                        said = dict(self.header["policy"]).get("audit.pruned", "").split(",")
                        need(seq or f"{log}={high}:{last}" in said, "prune: the vault does not say so")
                        seq, prev, pruned = (seq, prev, pruned) if seq else (high, last, high)
                        need((record["log"], record["seq"], record["prev"], count) == (log, seq, "", high - low + 1)
                             and 0 < low <= high and (high, last) == (seq, prev), f"{where}: no chain")
                        found[high] = last
                        owed.add((by[0], record["detail"]))
                        continue
                    seq += 1
                    need((record["log"], record["seq"], record["prev"]) == (log, seq, prev), f"{where}: no chain")
                    prev = self.digest("record", raw[:-1])
                    if seq in wanted:
                        found[seq] = prev
                    if signed:
                        bad |= {len(signers): fail} if fail else {}
                        signers.append([*(record[name] for name in ("op", "principal", "seq", "detail")), by[1]])
                        owed -= {(by[0], record["detail"])} if record["op"] == "audit-prune" else set()
        known = set()
        for at, (_, who, _, _, key) in enumerate(signers):
            if at not in bad:
                known.add((who, key))
            elif (who, key) not in known and self.is_void(signers, at):
                del bad[at]
        if bad:
            raise bad[min(bad)]
        need(not owed, "prune: nobody has recorded it")
        need(log, "the audit log is empty, or has no such record as the snapshot names")
        for by, of, number, digest in anchors:  # the snapshot names the logs of every place
            met = number < pruned or found.get(number) == digest if of == log else by == "the snapshot"
            need(met, f"the audit log is empty, or has no such record as {by} names")
        named = [number for by, of, number, _ in anchors if (by, of) == ("the snapshot", log)]
        return f"audit log {log}: whole, last number {seq}, the snapshot names " + str([*named, "none"][0])

    @staticmethod
    def is_void(signers, at):
        """Whether keys that reached no file may have signed it: a join did not come to be, or was not reached."""
        op, who, _, detail, _ = signers[at]
        if at and op == "aborted" and signers[at - 1][:3] == ["join", who, int(detail or 0)]:
            return True
        end = at
        while end < len(signers) and signers[end][1] == who and signers[end][0] in PRELIMINARY:
            end += 1
        if end == len(signers) or signers[end][:2] != ["join", who]:
            return op in PRELIMINARY
        after = signers[end + 1:end + 2]
        return not after or (after[0][0], after[0][3]) == ("aborted", str(signers[end][2]))

    def check_checkpoint(self, raw):
        """The record that it names, after it was held against the vault (section 9)."""
        line = parse(raw, CHECKPOINT, "checkpoint")
        need(line["vault"] == self.v, "the checkpoint is of another vault")
        self.check_signature(line, self.keys(line["by"], line["header"])[:1])
        now = self.snapshot["n"], self.snapshot["head"]
        need(now[0] > line["generation"] or now == (line["generation"], line["head"]),
             f"rolled back: generation {now[0]}, the checkpoint has {line['generation']}")
        return line["log"], line["seq"], line["digest"]

# ---- Section 8, and what is shown.

def number(text, alphabet):
    return sum(alphabet.index(c) * len(alphabet) ** i for i, c in enumerate(reversed(text)))

def read_credential(raw, recovery, key_file):
    """The type of its slot, the id of its slot if it is a token, and the secret."""
    base32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    text = raw.removesuffix(b"\n").decode(errors="replace")
    need(text and "\ufffd" not in text, "the passphrase is empty, or not UTF-8", 4)
    if recovery:
        text = text.upper().replace("-", "").replace(" ", "").translate(str.maketrans("OIL", "011"))
        need(re.fullmatch(f"VRK1[{base32}]{{58}}", text), "this is not a whole recovery key", 4)
        raw = (number(text[4:], base32) << 30).to_bytes(40, "big")
        check = hashlib.sha256(b"vault recovery key" + raw[:32]).digest()[:4]
        need(raw[32:] == check + bytes(4), "the recovery key has a typing error", 4)
        return "recovery", None, raw[:32]
    if text.startswith("vlt1_"):
        need(re.fullmatch(f"vlt1_[{base62}]{{60}}", text), "this is not a whole machine token", 4)
        both, check = number(text[5:59], base62), number(text[59:], base62)
        need(both < 2**320 and check == zlib.crc32(text[:59].encode()), "the machine token has a typing error", 4)
        return "token", base64url(both.to_bytes(40, "big")[:8]), both.to_bytes(40, "big")[8:]
    return "passphrase+keyfile" if key_file else "passphrase", None, unicodedata.normalize("NFC", text).encode()

def listing(vault, opened, clock):
    last, principals = vault.snapshot, vault.principals
    yield (f"vault {vault.v}  header {vault.header['n']}  snapshot {last['n']} of {last['time']} by "
           f"{principals[last['by']]['name']}  state {vault.state}")
    for id, p in principals.items():
        words = ["principal " + p["name"]] + ["administrator"] * (id in vault.admins)
        words += [f"{right} {','.join(opened[e]['name'] for e in p[right])}" for right in RIGHTS if p[right]]
        words += [f"until {p['expires']}"] * bool(p["expires"]) + ["has not joined"] * (id not in vault.bundles)
        slots = [s for s in vault.of["slot"] if s["principal"] == id]
        yield "  ".join(words + [s["type"] + f" {s['id']} {s['hint']}" * (s["type"] == "removed") for s in slots])
    for id, e in opened.items():
        policy = [f"{key} {value}" for key, value in e["policy"]] if e["catalog"] else ["not opened"]
        yield "  ".join([f"environment {e['name']}", f"epoch {e['epoch']}", *policy])
        for s in sorted(e["secrets"].values(), key=lambda s: (s["entry"] or {"name": ""})["name"].encode()):
            if not s["value"]:
                continue
            words = [s["entry"]["name"], s["entry"]["type"]] if s["entry"] else ["secret " + s["value"][0][0]["secret"]]
            if s["spoiled"]:
                yield "  " + "  ".join(words + [f"DAMAGED: {s['spoiled']}"])
                continue
            words += [f"version {s['current']}" if s["current"] else "no current version"]
            words += [f"kept {min(s['kept'])}-{max(s['kept'])}" if s["kept"] else "none kept"] + ["removed"] * s["gone"]
            words += [f"version {n} {line['state']}" for n, line in s["kept"].items() if line["state"] != "live"]
            words += [f"version {n} sealed (HPKE), not opened" for n, x in s["kept"].items() if x["form"] != "sym"]
            expired = s["current"] and vault.expires(e, s["kept"][s["current"]]) <= clock
            yield "  " + "  ".join(words + ["expired"] * bool(expired))
    for (id, environment), grant in vault.grants.items():
        if grant["form"] != "wrap":
            yield (f"environment {opened[environment]['name']}: the grant to {principals[id]['name']} is sealed (HPKE),"
                   " not opened")

def get(vault, opened, clock, me, args):
    """One value; without --env that of the principal's only environment, or of section 12's default."""
    named = {e["name"]: id for id, e in vault.environments.items()}
    mine = [id for id in opened if vault.level(me["id"], id)]
    usual = dict(vault.header["policy"]).get("environment.default", named.get("development", next(iter(opened), None)))
    here = opened.get(named.get(args.env) if args.env is not None else mine[0] if len(mine) == 1 else usual)
    need(here, "no such environment", 3)
    need(here["catalog"], "this environment cannot be opened: no right to it, or its grant is sealed (HPKE)", 1)
    found = [s for s in here["secrets"].values() if s["entry"] and s["entry"]["name"] == args.get]
    need(found, "no such secret in this environment", 3)
    need(not found[0]["spoiled"], f"this secret is damaged: {found[0]['spoiled']}")
    need(args.version or not found[0]["gone"], "no such secret in this environment: it was removed", 3)
    line = found[0]["kept"].get(args.version or found[0]["current"])
    need(line, "no such version is kept", 3)
    need(vault.expires(here, line) > clock, "this value has expired (--export has it)", 6)
    return vault.open_value(here, line)

def export(vault, opened, clock):
    out = {here["name"]: {} for here in opened.values()}
    for here, s in [(here, s) for here in opened.values() for s in here["secrets"].values()]:
        if s["spoiled"] or not s["current"] or s["gone"]:
            continue
        line = s["kept"][s["current"]]
        name = s["entry"]["name"] if s["entry"] else "secret " + line["secret"]
        if not here["key"] or line["form"] != "sym":
            note = f"not exported, sealed (HPKE) or not to be read: {here['name']} {name} version {s['current']}"
            sys.stderr.buffer.write(f"recover: note: {note}\n".encode())
            continue
        value, expired = vault.open_value(here, line), vault.expires(here, line) <= clock
        item = out[here["name"]][name] = {"version": s["current"], "type": s["entry"]["type"], "expired": expired}
        try:
            item["value"] = value.decode()
        except UnicodeDecodeError:
            item["base64"] = base64.b64encode(value).decode()
    out = {"vault": vault.v, "environments": out}
    return json.dumps(out, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"

def arguments():
    parser = argparse.ArgumentParser("recover", description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.error = lambda message: need(False, message, 2)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--list", action="store_true")
    action.add_argument("--get", metavar="NAME")
    action.add_argument("--export", action="store_true")
    parser.add_argument("--version", type=int)
    parser.add_argument("--recovery", action="store_true")
    for name in ("--env", "--key-file", "--principal", "--audit", "vault"):
        parser.add_argument(name)
    for name in ("--archive", "--checkpoint"):
        parser.add_argument(name, action="append", default=[])
    args = parser.parse_args()
    need(args.version is None or args.version > 0, "--version wants a number from 1", 2)
    need(args.get is not None or args.env is None and args.version is None, "--env and --version go with --get", 2)
    need(args.audit or not args.archive + args.checkpoint, "--archive and --checkpoint go with --audit", 2)
    return args

def read_file(file, most, code=7):
    with file:
        data = file.read(most + 1)
    need(len(data) <= most, "the vault, key file or credential is too large", code)
    return data

def run():
    args = arguments()
    key_file = read_file(open(args.key_file, "rb"), 2**20, 2) if args.key_file else None
    need(key_file is None or len(key_file) >= 32, "a key file has at least 32 bytes", 2)
    credential = read_credential(read_file(sys.stdin.buffer, 2**20, 2), args.recovery, key_file)
    vault = Vault(read_file(open(args.vault, "rb"), FILE))
    me, wrap_key = vault.unlock(*credential, key_file, args.principal)
    clock = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")[:23] + "Z"
    need(max(clock, vault.snapshot["time"]) <= (me["expires"] or "~"), "this principal has expired", 5)
    opened = {id: vault.open_environment(env, me, wrap_key) for id, env in vault.environments.items()}
    need(vault.at == vault.tail, "there are lines between the body and the snapshot")
    stated = [raw for name in args.checkpoint for raw in read_file(open(name, "rb"), 2**20, 2).splitlines()]
    report = [vault.check_audit(args.audit, args.archive, stated)] if args.audit else []
    if args.get is not None:
        output = get(vault, opened, clock, me, args)
    elif args.export:
        output = export(vault, opened, clock)
    else:
        output = "".join(f"{line}\n" for line in [*listing(vault, opened, clock), *report]).encode()
    sys.stdout.buffer.write(output)
    sys.stdout.buffer.flush()
    spoiled = [f"environment {here['name']}, secret {id}: {s['spoiled']}" for here in opened.values()
               for id, s in here["secrets"].items() if s["spoiled"]]
    spoiled += [f"changes of environment {here['name']}: {why}" for here in opened.values()
                for why in here["passed over"]]
    need(args.get is not None or not spoiled, "the rest is sound, but damaged is " + "; ".join(spoiled))

def main():
    try:
        run()
        return 0
    except Fail as failure:
        code, message = failure.args
    except OSError as error:
        code, message = 1, f"{ascii(error.filename or 'standard output')}: {error.strerror}"
    except STUMBLES as error:
        code, message = 7, f"the file is damaged, forged or of a newer program ({type(error).__name__})"
    except (Exception, KeyboardInterrupt) as error:  # never a traceback: it could show a key
        code, message = 1, f"unexpected {type(error).__name__}"
    sys.stderr.buffer.write(f"recover: {message}\n".encode(errors="backslashreplace"))
    return code

if __name__ == "__main__":
    sys.exit(main())
