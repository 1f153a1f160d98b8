"""What a binary is made of: a CycloneDX 1.5 list (SBOM) of the crates that a build for a target with some features has, from `cargo metadata`.

    cargo metadata --format-version 1 --locked --filter-platform TARGET --no-default-features --features LIST | python3 tools/sbom.py VERSION SHA256

VERSION is of the binary and SHA256 its checksum. The same input gives the same bytes: no time, no random number.
"""

import json
import sys


def reached(nodes, root):
    """The packages that the root links: its normal dependencies, and theirs. Crates that only build scripts or tests use are left out."""
    seen, todo = set(), [root]
    while todo:
        package = todo.pop()
        if package in seen:
            continue
        seen.add(package)
        for dependency in nodes[package]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                todo.append(dependency["pkg"])
    return seen


def component(package, checksums):
    purl = f"pkg:cargo/{package['name']}@{package['version']}"
    entry = {"type": "library", "bom-ref": purl, "name": package["name"], "version": package["version"], "purl": purl}
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


def main(version, sha256):
    metadata = json.load(sys.stdin)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    linked = reached(nodes, root)
    refs = {id: f"pkg:cargo/{packages[id]['name']}@{packages[id]['version']}" for id in linked}
    checksums = locked(metadata["workspace_root"] + "/Cargo.lock")
    depends = [
        {"ref": refs[id], "dependsOn": sorted(refs[d["pkg"]] for d in nodes[id]["deps"] if d["pkg"] in refs)}
        for id in sorted(linked, key=refs.get)
    ]
    main_component = component(packages[root], checksums) | {"type": "application", "version": version}
    main_component["hashes"] = [{"alg": "SHA-256", "content": sha256}]
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": main_component},
        "components": [component(packages[id], checksums) for id in sorted(linked - {root}, key=refs.get)],
        "dependencies": depends,
    }
    json.dump(bom, sys.stdout, indent=1)
    print()


main(*sys.argv[1:])
