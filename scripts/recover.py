#!/usr/bin/python3
"""Reads a vault without the program that made it: a second, independent reader of docs/format.md.

    printf %s "$PASSPHRASE" | python3 recover.py VAULT                      check everything, list every environment
    printf %s "$PASSPHRASE" | python3 recover.py VAULT --get NAME [--env E] [--version N] > file  one value, exact bytes
    printf %s "$PASSPHRASE" | python3 recover.py VAULT --export > all.json  every current value, NOT ENCRYPTED

On standard input: the passphrase, a machine token (vlt1_...), or with --recovery the recovery key (VRK1...); a newline
at the end is dropped. --key-file F: the slot wants a key file too. --principal P: whose credential it is, where many
share the vault (the first four are tried). --audit LOG: check the audit log too. Only standard output is written.
Needs Python 3.11 and, on Debian: apt install python3-cryptography python3-argon2

Exit status: 0 all is well, 2 usage, 3 not found, 4 wrong credential, 5 the principal has expired, 6 the value has
expired (--export has it nevertheless), 7 the file is damaged, forged or of a newer program, 1 anything else.

It cannot open age and PKCS#11 slots, nor grants and values that are sealed with HPKE: it names those, and reads the
rest. It does not judge approvals, and remembers nothing: an older whole copy of the vault is not noticed (section 6).
Numbers of sections are those of docs/format.md. Where a member has a wrong type the code stumbles, and main() reports
that as damage."""
import argparse, base64, datetime, hashlib, hmac, json, re, sys, unicodedata, zlib
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FILE, HEAD, LINE, VALUE = 2**30, 2**26, 2**25, 2**24  # bounds of section 1, in bytes
KDF = {"argon2id": {"memoryKiB": (8192, 2097152), "passes": (1, 32), "lanes": (1, 16)},
       "pbkdf2-hmac-sha256": {"iterations": (100_000, 10_000_000)}, "none": {}}
SHARDED = "kind environment epoch n time by seen bits shards sig"
MEMBERS = {  # sections 3, 5 and 9: the members of every line, in this order
    "vault": "kind format id", "root": "kind n prev time by admins sig", "names": SHARDED, "values": SHARDED,
    "header": "kind n time by seen root principals retired environments policy sig",
    "succession": "kind principal time signPub sealPub prev sig", "bundle": "kind n time by slots sealed sig",
    "slot": "kind principal id type kdf salt hint commit wrapped", "snapshot": "kind n time by head logs sig",
    "grant": "kind principal environment epoch level form ct", "block": "kind environment epoch shard sealed",
    "changes": "kind environment epoch n time by seen base digest size sig",
    "request": "kind id environment secret version operation note epoch time expires by sig",
    "decision": "kind id request digest verdict time by sig", "removed": "kind environment secret time by sig",
    "value": "kind environment epoch secret version state time author by form ct note prev decision sig",
    "purged": "kind environment secret through digest last time by sig", "unlock": "log seq time op ok count prev",
    "record": "log seq time op ok code principal environment secrets context source detail header from to prev sig"}
HEAD_LINES = ("vault (root )+header (succession )*(slot )*(bundle )*(grant )*(names values (changes )*)*"
              "(request )*(decision )*")
BODY_LINES = {"names": ["block"], "values": ["purged", "value"], "changes": ["purged", "value", "removed"]}
RIGHTS = {  # sections 3 and 5: the signer of a line has one of these in its environment; an administrator has all
    "names": ["write"], "values": ["write"], "changes": ["rotate", "delete"], "request": ["rotate", "write"],
    "decision": ["write"], "value": ["write", "rotate"], "purged": ["delete", "write"], "removed": ["delete"]}

class Fail(Exception):
    """Ends the run: exit status and one line that never has a value or a key in it."""

def need(condition, message, code=7):
    if not condition:
        raise Fail(code, message)

# ---- Section 1: encodings and functions. Digests and ids stay base64url text, which has one spelling only.

def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

def unbase64(text):
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    need(base64url(raw) == text, "a text in base64url has a second spelling")
    return raw

def encode(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

def parse(raw):
    """Strict JSON: what is parsed encodes to the same bytes. It finds repeated members, for instance."""
    value = json.loads(raw.decode(), parse_float=int, parse_constant=int)  # `int` refuses fractions and NaN
    need(encode(value) == raw and len(raw) <= LINE, "not in the strict encoding, or longer than 32 MiB")
    return value

def lines(data, kind=None):
    *whole, rest = data.split(b"\n")
    need(not rest, "an unfinished line")
    for line in map(parse, whole):
        found = kind or line["kind"]
        need(found in MEMBERS, f"kind {ascii(found)[:60]} is not known to this reader")
        need(list(line) == MEMBERS[found].split(), f"{found}: wrong members")
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

class Vault:
    def __init__(self, data):
        """Reads head and snapshot, and checks what needs no key, before one is derived (sections 2, 3, 6)."""
        start = re.match(rb'{"kind":"vault","format":(\w{1,16}),', data)
        need(start, "this is not a vault")
        need(start[1] == b"1", f"format {start[1].decode()} is not known to this reader")
        self.data, self.tail = data, data.rfind(b"\n", 0, -1) + 1  # where the snapshot begins
        self.at = data.find(b'\n{"kind":"block",') + 1 or self.tail  # where the body begins; it moves on with reading
        need(self.at <= HEAD, "the head is longer than 64 MiB")
        head, (self.snapshot,) = list(lines(data[:self.at])), lines(data[self.tail:])
        kinds = "".join(line["kind"] + " " for line in head)
        need(re.fullmatch(HEAD_LINES, kinds) and self.snapshot["kind"] == "snapshot", "lines out of order, or missing")
        self.of = {kind: [line for line in head if line["kind"] == kind] for kind in MEMBERS}
        self.v, self.header = head[0]["id"], self.of["header"][0]
        self.principals = {p["id"]: dict(p) for p in self.header["principals"]}
        self.environments = {e["id"]: e for e in self.header["environments"]}
        self.state = self.digest("head", data[:self.at])
        need(self.snapshot["head"] == self.state, "the head is not the one that the snapshot names")
        self.check_header()
        self.check_credentials()
        self.check_parts()
        for line in head:
            need(line.get("time", "") <= self.snapshot["time"], f"{line['kind']}: younger than the snapshot")

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
        return [x["signPub"] for x in [*old, self.principals.get(id)] if x]

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
        free = kind not in RIGHTS or asking and by not in self.principals
        need(free or self.can(by, environment, *RIGHTS[kind]), f"{kind}: its signer has no right to it")
        self.check_signature(line, self.keys(by) if asking else [self.principals[by]["signPub"]])

    def check_header(self):
        """The root chain, then the header, signed by an administrator of the last root."""
        header, signers, prev = self.header, None, ""
        for n, root in enumerate(self.of["root"]):
            self.admins = dict(root["admins"])
            need((root["n"], root["prev"]) == (n, prev), "the roots are no chain")
            self.check_signature(root, [(signers or self.admins)[root["by"]]])
            signers, prev = self.admins, self.H(root)
        same = all(self.principals[id]["signPub"] == key for id, key in self.admins.items())
        need(same and header["root"] == prev, "the header is not for the last root and its administrators")
        self.check_signature(header, [self.admins[header["by"]]])
        for x in (header["principals"], header["environments"]):
            need(len({y["id"] for y in x}) == len(x) == len({y["name"] for y in x}), "names or ids are not distinct")
            need(not re.search(r"[\s\0-\x1f\x7f-\x9f\u2028-\u202e]", "".join(y["name"] for y in x)), "an unfit name")
        for key, _ in header["policy"]:  # section 12
            need(key in ("environment.default", "retention.versions"), f"policy {ascii(key)[:60]} is not known here")

    def check_credentials(self):
        """Slots and grants have no signature: bundles name the first, the second open to what the header commits to."""
        for line in self.of["succession"]:
            p = self.principals[line["principal"]]
            need(line["prev"] == self.H(p), "succession: for another entry of the header")
            self.check_signature(line, [p["invited"]])
            p.update(signPub=line["signPub"], sealPub=line["sealPub"])
        slots = {id: [] for id, p in self.principals.items() if p["signPub"]}
        need([b["by"] for b in self.of["bundle"]] == list(slots), "not one bundle for each principal that has joined")
        for s in self.of["slot"]:
            slots[s["principal"]].append(self.H(s))
            for name, (low, high) in KDF[s["kdf"]["name"]].items():
                need(low <= s["kdf"][name] <= high, "slot: its kdf is out of bounds")
        for b in self.of["bundle"]:
            need(b["slots"] == slots[b["by"]], "a bundle does not list its principal's slots")
            self.check_signer(b)
        self.grants = {(g["principal"], g["environment"]): g for g in self.of["grant"]}
        for (id, environment), g in self.grants.items():
            level = "read" if self.can(id, environment, "read") else "list"
            same = (g["level"], g["epoch"]) == (level, self.environments[environment]["epoch"])
            need(same and self.can(id, environment, level) and id in slots, "grant: beside the header's rights, epoch")
        for id in set(slots) - {line["principal"] for line in self.of["succession"]}:
            missing = [e for e in self.environments if self.can(id, e, "list", "read") and (id, e) not in self.grants]
            need(not missing, "a grant is missing")

    def check_parts(self):
        """Names, values, changes and snapshot (section 6.5), then requests and decisions."""
        self.parts = {id: {"changes": {}} for id in self.environments}
        order = [[line["environment"] for line in self.of[kind]] for kind in ("names", "values")]
        need(order == [list(self.parts)] * 2, "not one names and one values line for each environment")
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
                need(line["bits"] <= 12 and len(line["shards"]) == 2 ** line["bits"], f"{kind}: not 2^bits shards")
        self.check_signer(self.snapshot)
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
        requests = {r["id"]: r for r in self.of["request"]}
        for line in self.of["request"] + self.of["decision"]:
            r = requests[line.get("request", line["id"])]
            self.check_signer(line, r["environment"])
            need(line is r or line["digest"] == self.H(r) and line["by"] != r["by"], "decision: on another request")

    def unlock(self, kind, slot, secret, key_file, principal):
        """Sections 3 (slot, bundle), 6.3 and 6.4: returns the principal's entry and wrapKey."""
        slots = [s for s in self.of["slot"] if s["type"] == kind and slot in (None, s["id"])
                 and principal in (None, s["principal"], self.principals[s["principal"]]["name"])]
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
            raise Fail(4, f"could not unlock: wrong credential ({len(slots)} slots of its type; see --principal)")
        me, bundle = self.principals[s["principal"]], [b for b in self.of["bundle"] if b["by"] == s["principal"]][0]
        key = unseal(okm[32:], s["wrapped"], self.P("slot-wrap", *named, salt, s["hint"], okm[:32]))
        mine = parse(unseal(key, bundle["sealed"], self.P("bundle", me["id"], bundle["n"]), 1024))
        need((mine["vault"], mine["principal"]) == (self.v, me["id"]), "bundle: of another vault or principal")
        signer = Ed25519PrivateKey.from_private_bytes(unbase64(mine["signSeed"]))
        public_key(me["signPub"]).verify(signer.sign(b""), b"")  # it is the key of signPub
        same = self.H(self.of["root"][mine["root"]]) == mine["rootDigest"]
        need(same and self.header["n"] >= mine["floor"], "roots or header are not those that this principal knows")
        return me, unbase64(mine["wrapKey"])

    def open_environment(self, env, me, wrap_key):
        """Keys and body of one environment (sections 4, 5, 6.6 to 6.8): all is checked, and opened where possible."""
        id, epoch, grant = env["id"], env["epoch"], self.grants.get((me["id"], env["id"]))
        here = {"name": env["name"], "epoch": epoch, "key": None, "catalog": None, "secrets": {}}
        if grant and grant["form"] == "wrap":
            key = unseal(wrap_key, grant["ct"], self.P("grant", me["id"], id, epoch, grant["level"]))
            here["catalog"] = key
            if grant["level"] == "read":
                here.update(key=key, catalog=self.KD(key, "catalog", id, epoch))
                need(base64url(self.KD(key, "commit-env", id, epoch)) == env["commitEnv"], "grant: another key")
            same = base64url(self.KD(here["catalog"], "commit-catalog", id, epoch)) == env["commitCatalog"]
            need(same, "grant: another key")
        parts = self.parts[id]
        for part in [parts["names"], parts["values"], *parts["changes"].values()]:
            for shard, (want, size) in enumerate(part.get("shards", [(part.get("digest"), part.get("size"))])):
                start, self.at = self.at, self.at + size
                raw, name = self.data[start:min(self.at, self.tail)], shard if "shards" in part else part["by"]
                same = len(raw) == size and self.digest("shard", part["kind"], id, name, raw) == want
                need(same, f"{part['kind']}: wrong digest or size of a shard")
                for line in lines(raw):
                    fits = (line["environment"], line.get("epoch", epoch)) == (id, epoch)
                    need(fits and line["kind"] in BODY_LINES[part["kind"]], f"{line['kind']}: not where it belongs")
                    self.read_body_line(here, line, part, shard)
        for s in here["secrets"].values():
            self.check_versions(s)
        return here

    def read_body_line(self, here, line, part, shard):
        kind, by, catalog, secrets = line["kind"], line.get("by"), here["catalog"], here["secrets"]
        if kind == "block":
            named = ("block", line, line["sealed"], part["bits"], shard)
            for entry in parse(self.open(catalog, *named))["entries"] if catalog else []:
                need(not re.search(r"[\0-\x1f\x7f-\x9f\u2028\u2029]", entry["name"]), "block: an unfit name")
                need(entry["secret"] not in secrets, "block: two names of one secret")
                secrets[entry["secret"]] = {"entry": entry, "value": [], "purged": [], "removed": []}
            return
        self.check_signer(line, line["environment"])
        need(part["kind"] == "values" or by == part["by"], "changes: a line of another signer")
        entry = {"name": "(no name)", "type": "-", "removed": ""}
        s = secrets.setdefault(line["secret"], {"entry": entry, "value": [], "purged": [], "removed": []})
        s[kind].append((line, part["kind"]))
        if kind == "value":
            own = by == line["author"] and (line["version"] > 1 or self.can(by, line["environment"], "write"))
            need(own or by in self.admins, "value: its signer has no right to it")
            fits = line["time"] <= part["time"] and line["state"] in ("live", "pending", "withdrawn")
            need(fits, "value: younger than the part that has it, or of an unknown state")
            self.expires(here, line)
            if here["key"] and line["form"] == "sym":
                self.open_value(here, line)

    def expires(self, here, line):
        """What the note of a version says, or the end of time."""
        named = (line["secret"], line["version"])
        note = self.open(here["catalog"], "note", line, line["note"], *named) if here["catalog"] else b'{"expires":""}'
        return parse(note)["expires"] or "~"

    def open_value(self, here, line):
        need(here["key"] and line["form"] == "sym", "this value is sealed (HPKE), or there is no right to read it", 1)
        plain = self.open(here["key"], "value", line, line["ct"], line["secret"], line["version"])
        need(hashlib.sha256(plain[32:]).digest() == plain[:32] and len(plain) <= 32 + VALUE, "value: wrong checksum")
        return plain[32:]

    def check_versions(self, s):
        """The versions of one secret, those of `values` and of all `changes` together (section 5)."""
        kept, after = {}, {0: ("", "")}  # after: digest and time of what a version comes after
        for line, part in sorted(s["value"], key=lambda x: (x[0]["version"], x[0]["state"] != "pending")):
            first = kept.get(line["version"])  # a pending one may be answered in changes
            answer = first and first["state"] == "pending" != line["state"] and part == "changes"
            answer = answer and (first["author"], first["prev"]) == (line["author"], line["prev"])
            need(not first or answer, "two lines for one version")
            kept[line["version"]] = line
        for p, part in s["purged"]:
            need(part == "changes" or p["through"] < min(kept, default=2**53), "a purged version is still there")
            after[p["through"]] = (p["digest"], p["last"])
        for version, line in kept.items():
            digest, time = after.get(version - 1, (None, ""))
            this = (self.H(line), line["time"])
            chained = line["prev"] == digest and line["time"] >= time and after.setdefault(version, this) == this
            chained = chained and (line["state"] != "pending" or version == max(kept))
            need(chained, "the versions of a secret are no chain")
        through = max((p["through"] for p, _ in s["purged"]), default=0)
        s["kept"] = {version: line for version, line in kept.items() if version > through}
        s["current"] = max((version for version, line in s["kept"].items() if line["state"] == "live"), default=0)
        s["gone"] = bool(s["removed"] or s["entry"]["removed"])

    def check_audit(self, path):
        """Section 9: encoding, numbers, chain, signatures, and the record that the snapshot names."""
        anchors, log, seq, prev, met = {log: tuple(x) for log, *x in self.snapshot["logs"]}, None, 0, "", False
        with open(path, "rb") as file:
            while raw := file.readline(LINE + 2):
                signed, where = b',"count":' not in raw, f"audit record {seq + 1}"
                record, = lines(raw, "record" if signed else "unlock")
                need((log is None) == (record["op"] in ("log", "prune")), f"{where}: not how a log starts")
                pruned = record["detail"].split() if record["op"] == "prune" else None
                log, seq = log or record["log"], int(pruned[1]) if pruned else seq + 1
                chained = (record["log"], record["seq"], record["prev"]) == (log, seq, prev)
                need(chained and (signed or (record["op"], record["ok"]) == ("unlock", False)), f"{where}: no chain")
                prev, anchor = self.digest("record", raw[:-1]), anchors.get(log, (0, ""))
                met |= anchor == (seq, prev)
                key = self.keys(record["principal"], record["header"])[0] if signed else None
                if signed:
                    self.check_signature(record, [key], "audit")
                if pruned:  # what follows chains to the last record that was removed
                    prev, signer = pruned[3], [record["principal"], key]
                    admin = any(signer in root["admins"] for root in self.of["root"])
                    need(admin and anchor[0] >= seq, "prune: not by an administrator, or not in the snapshot")
                    met |= anchor == (seq, prev)
        need(log and (met or log not in anchors), "the audit log is empty, or has no such record as the snapshot names")
        return f"audit log {log}: whole, last number {seq}, the snapshot names " + (str(anchor[0]) if met else "none")

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
    last = vault.snapshot
    signer = vault.principals[last["by"]]["name"]
    yield (f"vault {vault.v}  header {vault.header['n']}  snapshot {last['n']} of {last['time']} by {signer}"
           f"  state {vault.state}")
    for here in opened.values():
        yield f"environment {here['name']}  epoch {here['epoch']}"
        for s in sorted(here["secrets"].values(), key=lambda s: s["entry"]["name"].encode()):
            words = [s["entry"]["name"], s["entry"]["type"]]
            words += [f"version {s['current']}" if s["current"] else "no current version"]
            words += [f"kept {min(s['kept'])}-{max(s['kept'])}" if s["kept"] else "none kept"] + ["removed"] * s["gone"]
            words += [f"version {n} {line['state']}" for n, line in s["kept"].items() if line["state"] != "live"]
            words += [f"version {n} sealed (HPKE), not opened" for n, x in s["kept"].items() if x["form"] != "sym"]
            expired = s["current"] and vault.expires(here, s["kept"][s["current"]]) <= clock
            yield "  " + "  ".join(words + ["expired"] * bool(expired))

def get(vault, opened, clock, me, args):
    """One value; without --env that of the principal's only environment, or of section 12's default."""
    named = {e["name"]: id for id, e in vault.environments.items()}
    mine = [id for id in opened if vault.can(me["id"], id, "list", "read")]
    usual = dict(vault.header["policy"]).get("environment.default", named.get("development", next(iter(opened), None)))
    here = opened.get(named.get(args.env) if args.env is not None else mine[0] if len(mine) == 1 else usual)
    need(here, "no such environment", 3)
    need(here["catalog"], "this environment cannot be opened: no right to it, or its grant is sealed (HPKE)", 1)
    found = [s for s in here["secrets"].values() if s["entry"]["name"] == args.get and (args.version or not s["gone"])]
    need(found and "secret" in found[0]["entry"], "no such secret in this environment", 3)
    line = found[0]["kept"].get(args.version or found[0]["current"])
    need(line, "no such version is kept", 3)
    need(vault.expires(here, line) > clock, "this value has expired (--export has it)", 6)
    return vault.open_value(here, line)

def export(vault, opened, clock, notes):
    out = {here["name"]: {} for here in opened.values()}
    found = [(here, s) for here in opened.values() for s in here["secrets"].values()]
    for here, s in [(here, s) for here, s in found if s["current"] and not s["gone"]]:
        line, name = s["kept"][s["current"]], s["entry"]["name"]
        if not here["key"] or line["form"] != "sym":
            notes.append(f"not exported, sealed (HPKE) or not to be read: {here['name']} {name} version {s['current']}")
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
    args = parser.parse_args()
    need(args.version is None or args.version > 0, "--version wants a number from 1", 2)
    need(args.get is not None or args.env is None and args.version is None, "--env and --version go with --get", 2)
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
    sealed = [key for key, grant in vault.grants.items() if grant["form"] != "wrap"]
    named = [(opened[env]["name"], vault.principals[id]["name"]) for id, env in sealed]
    notes = [f"environment {env}: the grant to {name} is sealed (HPKE), not opened" for env, name in named]
    report = [vault.check_audit(args.audit)] if args.audit else []
    if args.get is not None:
        output, notes = get(vault, opened, clock, me, args), []
    elif args.export:
        output = export(vault, opened, clock, notes)
    else:
        output = "".join(f"{line}\n" for line in [*listing(vault, opened, clock), *notes, *report]).encode()
    sys.stdout.buffer.write(output)
    sys.stdout.buffer.flush()
    if args.export:
        sys.stderr.buffer.write("".join(f"recover: note: {note}\n" for note in notes).encode())

def main():
    try:
        run()
        return 0
    except Fail as failure:
        code, message = failure.args
    except OSError as error:
        code, message = 1, f"{ascii(error.filename or 'standard output')}: {error.strerror}"
    except (InvalidTag, InvalidSignature, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        code, message = 7, f"the file is damaged, forged or of a newer program ({type(error).__name__})"
    except (Exception, KeyboardInterrupt) as error:  # never a traceback: it could show a key
        code, message = 1, f"unexpected {type(error).__name__}"
    sys.stderr.buffer.write(f"recover: {message}\n".encode(errors="backslashreplace"))
    return code

if __name__ == "__main__":
    sys.exit(main())
