"""What a binary is made of: a CycloneDX 1.5 list (SBOM) of the crates that a build of the command for a target with some features has.

    python3 tools/sbom.py VERSION SHA256 TARGET FEATURES [NAME=VALUE...]

VERSION is of the binary and SHA256 its checksum. What is given as NAME=VALUE, such as the compiler, stands among the properties, as
`siskin:build:NAME`, with the target and the features. Crates that are linked have the scope `required`; those that only run while it is
built (procedural macros, build scripts and what these use) have `excluded`. The same input gives the same bytes: no time, no random number.

Which crates these are is asked of `cargo tree`: what `cargo metadata` resolves has the features that tests switch on, too.
"""

import json
import subprocess
import sys


def cargo(*args):
    return subprocess.run(["cargo", *args, "--locked"], check=True, stdout=subprocess.PIPE, text=True).stdout


def tree(build, edges):
    """Names and versions of the packages that a build has, over these kinds of dependencies."""
    lines = cargo("tree", *build, "--edges", edges, "--prefix", "none", "--format", "{p}").splitlines()
    # NAME vVERSION, and for some more behind it
    words = [line.split() for line in lines if line]
    return {(name, version.removeprefix("v")) for name, version, *_ in words}


def component(package, checksums, scope):
    purl = f"pkg:cargo/{package['name']}@{package['version']}"
    entry = {"type": "library", "bom-ref": purl, "name": package["name"], "version": package["version"], "scope": scope, "purl": purl}
    if package.get("license"):
        entry["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return entry


def locked(path):
    """The checksums of the crates in Cargo.lock."""
    import tomllib

    with open(path, "rb") as file:
        packages = tomllib.load(file)["package"]
    return {(p["name"], p["version"]): p["checksum"] for p in packages if "checksum" in p}


def main(version, sha256, target, features, *facts):
    choice = ["--no-default-features", "--features", features]
    metadata = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", target, *choice))
    linked = tree(["--target", target, *choice], "normal,no-proc-macro")
    built = tree(["--target", target, *choice], "normal,build")
    packages = {p["id"]: p for p in metadata["packages"] if (p["name"], p["version"]) in built}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    checksums = locked(metadata["workspace_root"] + "/Cargo.lock")
    refs = {id: f"pkg:cargo/{p['name']}@{p['version']}" for id, p in packages.items()}
    order = sorted(packages, key=refs.get)

    def entry(id):
        scope = "required" if (packages[id]["name"], packages[id]["version"]) in linked else "excluded"
        return component(packages[id], checksums, scope)

    def depends(id):
        deps = [d["pkg"] for d in nodes[id]["deps"] if any(kind["kind"] != "dev" for kind in d["dep_kinds"])]
        return {"ref": refs[id], "dependsOn": sorted(refs[other] for other in deps if other in refs)}

    main_component = entry(root) | {"type": "application", "version": version, "hashes": [{"alg": "SHA-256", "content": sha256}]}
    pairs = [fact.split("=", 1) for fact in (f"target={target}", f"features={features}", *facts)]
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": main_component,
            "properties": [{"name": f"siskin:build:{name}", "value": value} for name, value in pairs],
        },
        "components": [entry(id) for id in order if id != root],
        "dependencies": [depends(id) for id in order],
    }
    json.dump(bom, sys.stdout, indent=1)
    print()


main(*sys.argv[1:])
