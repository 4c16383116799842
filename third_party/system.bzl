"""The dependencies as Debian packages: no download, nothing to compile."""

load("//third_party:bazel_shims.bzl", "debian_bazel_repositories")
load("//third_party:system_library.bzl", "system_library")

# Abseil's targets, by package. Debian's pkg-config module for each is absl_<target>.
_ABSL = {
    "absl/algorithm": ["container"],
    "absl/base": ["base", "core_headers"],
    "absl/cleanup": ["cleanup"],
    "absl/container": ["btree", "flat_hash_map", "flat_hash_set", "inlined_vector", "node_hash_map"],
    "absl/flags": ["flag", "parse", "usage"],
    "absl/functional": ["any_invocable", "function_ref"],
    "absl/hash": ["hash"],
    "absl/memory": ["memory"],
    "absl/numeric": ["bits", "int128"],
    "absl/random": ["random"],
    "absl/status": ["status", "statusor"],
    "absl/strings": ["cord", "str_format", "strings"],
    "absl/synchronization": ["synchronization"],
    "absl/time": ["time"],
    "absl/types": ["optional", "span", "variant"],
}

_ABSL_MODULES = {
    "absl/algorithm:container": "absl_algorithm_container",
    "absl/flags:flag": "absl_flags",
    "absl/flags:parse": "absl_flags_parse",
    "absl/flags:usage": "absl_flags_usage",
    "absl/random:random": "absl_random_random",
}

def _absl_libraries():
    labels = [p + ":" + t for p, targets in _ABSL.items() for t in targets]
    modules = [
        _ABSL_MODULES.get(label, "absl_" + label.split(":")[1])
        for label in labels
    ]
    return {" ".join(modules): labels}

# buildifier: disable=unnamed-macro
def repositories():
    """All that the BUILD files name."""
    debian_bazel_repositories()
    system_library(
        name = "com_google_absl",
        apt = "libabsl-dev",
        libraries = _absl_libraries(),
        static = True,
    )
    system_library(
        name = "com_googlesource_code_re2",
        apt = "libre2-dev",
        libraries = {"re2": [":re2"]},
        static = True,
    )
    system_library(
        name = "com_github_jbeder_yaml_cpp",
        apt = "libyaml-cpp-dev",
        libraries = {"yaml-cpp": [":yaml-cpp"]},
        static = True,
    )
    system_library(
        name = "com_google_googletest",
        apt = "libgmock-dev",
        libraries = {
            "gmock gtest": [":gtest"],
            "gmock_main gmock gtest": [":gtest_main"],
        },
    )
    system_library(
        name = "com_github_nlohmann_json",
        apt = "nlohmann-json3-dev",
        libraries = {"nlohmann_json": [":json"]},
    )
    system_library(
        name = "com_github_cliutils_cli11",
        apt = "libcli11-dev",
        libraries = {"CLI11": [":cli11"]},
    )
    system_library(
        name = "com_github_google_benchmark",
        apt = "libbenchmark-dev",
        libraries = {"benchmark": [":benchmark"]},
    )
    system_library(
        name = "sqlite3",
        apt = "libsqlite3-dev",
        libraries = {"sqlite3": [":sqlite3"]},
        static = True,
    )
    system_library(
        name = "openssl",
        apt = "libssl-dev",
        libraries = {
            "libcrypto": [":crypto"],
            "libssl": [":ssl"],
        },
    )
    system_library(
        name = "libsodium",
        apt = "libsodium-dev",
        libraries = {"libsodium": [":libsodium"]},
        static = True,
    )
    system_library(
        name = "zstd",
        apt = "libzstd-dev",
        libraries = {"libzstd": [":zstd"]},
        static = True,
    )
    system_library(
        name = "mit_krb5",
        apt = "libkrb5-dev",
        libraries = {
            "mit-krb5-gssapi": [":gssapi"],
            "mit-krb5": [":krb5"],
        },
    )
