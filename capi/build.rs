//! Gives the shared library the name that programs ask the loader for.

#![expect(clippy::print_stdout, reason = "how a build script talks to cargo")]

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The number changes when programs that were linked before would no longer run.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libdmaflow.so.0");
}
