"""A stand-in for the Hugging Face hub: a server on this machine with the few routes that its client uses."""

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub
import numpy as np
import pytest
import timm
import torch
import yaml
from astropy.table import Table

import galzoo_repr as gzr

TOKEN = "hf_writes"


@dataclass
class Repository:
    """Files of the newest commit, and what came of the others."""

    private: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)

    @property
    def sha(self) -> str:
        return hashlib.sha1(f"{self.commits}{sorted(self.files)}".encode()).hexdigest()


class StandInHub:
    """Repositories of models by name, of which ``me`` and ``our-survey`` may be written to."""

    def __init__(self):
        self.models: dict[str, Repository] = {}
        self.datasets: set[str] = set()
        self.blobs: dict[str, bytes] = {}
        self.seen: list[str] = []
        self.fails_with = 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Answer, self))
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def repository(**files):
        return Repository(files=files)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, hub, *args):
        self.hub = hub
        super().__init__(*args)

    def log_message(self, *_):
        pass

    def of_length(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def chunks(self):
        body = b""
        while length := int(self.rfile.readline(), 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def reply(self, value=b"", code=200, **headers):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        for key, one in headers.items():
            self.send_header(key.replace("_", "-"), one)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def no(self, code, error, message):
        self.reply({"error": message}, code, X_Error_Code=error, X_Error_Message=message)

    def handle_any(self):
        body = self.chunks() if "Transfer-Encoding" in self.headers else self.of_length()
        path = self.path.partition("?")[0].strip("/")
        parts = path.split("/")
        self.hub.seen.append(f"{self.command} /{path}")
        if self.hub.fails_with and self.command == "POST":
            return self.no(self.hub.fails_with, "", "the hub is being repaired")
        if not path:
            return self.reply()
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if given not in ("", TOKEN):
            return self.no(401, "", "Invalid credentials in Authorization header")
        if path == "api/validate-yaml":
            facts = yaml.safe_load(json.loads(body)["content"].split("---")[1])
            return self.reply({"errors": [], "warnings": []} if facts else {"errors": [{"message": "empty"}]})
        if path == "api/repos/create":
            return self.create(json.loads(body))
        if parts[0] == "lfs":
            self.hub.blobs[parts[1]] = body
            return self.reply()
        if parts[:2] == ["api", "datasets"]:
            name = "/".join(parts[2:4])
            return self.reply({"id": name}) if name in self.hub.datasets else self.missing()
        name = "/".join(parts[2:4] if parts[0] == "api" else parts[:2]).removesuffix(".git")
        repository = self.hub.models.get(name)
        if parts[:2] == ["api", "spaces"] or repository is None or (repository.private and given != TOKEN):
            return self.missing()
        what = parts[4:] if parts[0] == "api" else parts[2:]
        return self.of(name, repository, what, body)

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def missing(self):
        self.no(404, "RepoNotFound", "Repository not found")

    def create(self, asked):
        if asked["organization"] not in ("me", "our-survey"):
            rights = "You don't have the rights to create a model under the namespace"
            return self.no(403, "", f'{rights} "{asked["organization"]}"')
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.hub.models:
            return self.no(409, "", "You already created this model repo")
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.hub.models[name] = Repository(private, {".gitattributes": b"*.safetensors lfs\n"})
        return self.reply({"url": f"{self.hub.endpoint}/{name}", "id": name})

    def of(self, name, repository, what, body):
        files = repository.files
        if not what or what[0] == "revision":
            return self.reply(
                {"id": name, "sha": repository.sha, "private": repository.private, "tags": [], "downloads": 0,
                 "siblings": [{"rfilename": one} for one in files]}
            )  # fmt: skip
        if what[0] == "tree":
            return self.reply(
                [{"type": "file", "path": one, "size": len(of), "oid": hashlib.sha1(of).hexdigest()}
                 for one, of in files.items()]
            )  # fmt: skip
        if what[0] == "preupload":
            asked = [one["path"] for one in json.loads(body)["files"]]
            mode = {True: "lfs", False: "regular"}
            return self.reply(
                {"files": [{"path": one, "uploadMode": mode[one.endswith("safetensors")], "shouldIgnore": False}
                           for one in asked]}
            )  # fmt: skip
        if what[-1] == "batch":
            return self.reply(
                {"transfer": "basic", "objects": [
                    {**one, "actions": {"upload": {"href": f"{self.hub.endpoint}/lfs/{one['oid']}"}}}
                    for one in json.loads(body)["objects"]]},
                Content_Type="application/vnd.git-lfs+json",
            )  # fmt: skip
        if what[0] == "commit":
            return self.commit(name, repository, [json.loads(line) for line in body.splitlines()])
        content = files.get("/".join(what[2:]))
        if what[0] != "resolve" or what[1] not in ("main", repository.sha):
            return self.no(404, "RevisionNotFound", "Revision not found")
        if content is None:
            return self.no(404, "EntryNotFound", "Entry not found")
        return self.reply(
            content, ETag=f'"{hashlib.sha1(content).hexdigest()}"', X_Repo_Commit=repository.sha
        )

    def commit(self, name, repository, lines):
        parent = lines[0]["value"].get("parentCommit")
        if parent and parent != repository.sha:
            return self.no(412, "", "A commit has happened since. Please refresh and try again.")
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                repository.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                repository.files[value["path"]] = self.hub.blobs[value["oid"]]
            elif line["key"] == "deletedFile":
                del repository.files[value["path"]]
        repository.commits.append(lines[0]["value"]["summary"])
        url = f"{self.hub.endpoint}/{name}/commit/{repository.sha}"
        return self.reply({"commitUrl": url, "commitOid": repository.sha, "pullRequestUrl": None})


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The stand-in instead of the hub, nothing in the cache, and a token as of a login."""
    stand_in = StandInHub()
    known = huggingface_hub.constants
    monkeypatch.setattr(known, "ENDPOINT", stand_in.endpoint)
    for module in (known, huggingface_hub.file_download):  # early versions have a copy
        address = stand_in.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", address, raising=module is known)
    monkeypatch.setattr(known, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(known, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(known, "HF_HUB_DISABLE_XET", True, raising=False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield stand_in
    stand_in.close()


@pytest.fixture(scope="session")
def network():
    torch.manual_seed(0)
    return timm.create_model("lcnet_035", num_classes=0)


@pytest.fixture
def encoder(network):
    recipe = gzr.ImageRecipe(
        size=48, stretch="asinh", bands=("VIS", "NIR_Y"), channels=[[0, 1], [0.5, 0.5], [1, 0]], mean=0.1
    )
    card = {
        "data": {"real": "80 galaxies"},
        "validation": {"galaxies": 20, "questions": {"bar": {"n": 20, "fraction_error": 0.125}}},
        "limits": ["It knows | nothing."],
    }
    return gzr.Encoder(network, recipe, name="mine", views=2, licence="BSD-3-Clause", card=card)


@pytest.fixture(scope="session")
def galaxies():
    """Galaxies whose ring is the first number of their embedding."""
    embedding = np.random.default_rng(5).normal(size=(120, 6)).astype(np.float32)
    table = Table({"ra": 150 + 0.1 * np.arange(120), "dec": np.full(120, 2.0), "embedding": embedding})
    table.meta["GZRENC"], table.meta["GZRENCD"] = "tiny", "a" * 64
    table["ring"] = np.where(np.arange(120) < 60, embedding[:, 0] > 0.3, np.nan)
    return table


@pytest.fixture(scope="session")
def model(galaxies):
    return gzr.finetune(galaxies, "ring", members=3, progress=False)


@pytest.fixture
def fine_tuned(model, network):
    """The model with an encoder beside it, as if that had been fine-tuned."""
    inner = gzr.Encoder(network, gzr.ImageRecipe(size=32), name="tiny", licence="Apache-2.0")
    return replace(model, encoder=inner)
