#!/bin/sh
# Installs what the build needs and this machine lacks: git, curl, cmake, a linker, clang 16 or newer with libclang
# (see .cargo/config.toml for the reason), and Rust by rustup. Says what it does; does nothing when all is there.
set -eu

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

repository=$(cd "$(dirname "$0")/.." && pwd)
PATH="${CARGO_HOME:-${HOME:-/}/.cargo}/bin:$PATH"

has_clang() { "$repository/build/cc" --version >/dev/null 2>&1 && "$repository/build/cxx" --version >/dev/null 2>&1; }

has_libclang() {
    for folder in "${LIBCLANG_PATH:-}" /usr/lib/llvm-*/lib /usr/lib /usr/lib64 /usr/lib/*-linux-gnu /usr/local/lib; do
        for file in "$folder"/libclang.so* "$folder"/libclang-[0-9]*.so*; do
            if [ -e "$file" ]; then return 0; fi
        done
    done
    return 1
}

# A cargo older than the toolchain file's cannot build the workspace, unless rustup stands behind it and fetches that one.
has_rust() {
    has cargo || return 1
    if has rustup; then return 0; fi
    wanted=$(sed -n 's/^channel = "\([0-9]*\.[0-9]*\).*/\1/p' "$repository/rust-toolchain.toml")
    found=$(cargo --version | sed 's/^cargo \([0-9]*\.[0-9]*\).*/\1/')
    [ "${found%%.*}" -gt "${wanted%%.*}" ] ||
        { [ "${found%%.*}" -eq "${wanted%%.*}" ] && [ "${found#*.}" -ge "${wanted#*.}" ]; }
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif has sudo; then sudo "$@"
    else fail "'$*' needs root; run it as root, then run this again"
    fi
}

# The newest clang that the distribution offers.
offered_clang() {
    for version in 22 21 20 19 18 17 16; do
        if apt-cache show "clang-$version" >/dev/null 2>&1; then echo "$version"; return; fi
    done
}

# What is missing, as packages of Debian; clang is added when the package lists are fresh.
debian_packages() {
    packages=""
    has git || packages="$packages git"
    has curl || packages="$packages curl ca-certificates"
    has cmake || packages="$packages cmake"
    has make || packages="$packages make"
    { has cc && has c++; } || packages="$packages g++"
    echo "$packages"
}

set_up_debian() {
    packages=$(debian_packages)
    needs_clang=no
    { has_clang && has_libclang; } || needs_clang=yes
    if [ -z "$packages" ] && [ "$needs_clang" = no ]; then return; fi
    say "updating the package lists"
    as_root apt-get update -qq
    if [ "$needs_clang" = yes ]; then
        version=$(offered_clang)
        [ -n "$version" ] ||
            fail "this distribution has no clang 16 or newer; install one from https://apt.llvm.org, then run this again"
        packages="$packages clang-$version libclang-$version-dev"
    fi
    say "installing$(printf ' %s' $packages)"
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
}

set_up_macos() {
    xcode-select -p >/dev/null 2>&1 || fail "install Apple's command line tools with 'xcode-select --install', then run this again"
    if has cmake; then return; fi
    has brew || fail "install Homebrew from https://brew.sh, then run this again"
    say "installing cmake"
    brew install --quiet cmake
}

check_other_system() {
    missing=""
    for program in git curl cmake make cc c++; do has "$program" || missing="$missing $program"; done
    has_clang || missing="$missing clang>=16"
    has_libclang || missing="$missing libclang"
    [ -z "$missing" ] || fail "install these with your package manager, then run this again:$missing"
}

set_up_rust() {
    if has_rust; then return; fi
    say "installing Rust with rustup, for this user"
    installer=$(mktemp)
    curl --proto '=https' --tlsv1.2 --silent --show-error --fail --location https://sh.rustup.rs --output "$installer" ||
        fail "rustup cannot be downloaded; install Rust from https://rustup.rs, then run this again"
    sh "$installer" -y --quiet --profile minimal --default-toolchain none --no-modify-path
    rm -f "$installer"
    # The first call fetches the toolchain that rust-toolchain.toml names.
    (cd "$repository" && cargo --version)
    say "cargo is in ${CARGO_HOME:-$HOME/.cargo}/bin; put that folder on your PATH to call it yourself"
}

case "$(uname -s)" in
    Darwin) set_up_macos ;;
    *) if has apt-get; then set_up_debian; else check_other_system; fi ;;
esac
set_up_rust
has_rust || fail "cargo is still missing or too old"
