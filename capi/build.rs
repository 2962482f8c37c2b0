//! Gives the shared library the name that programs ask the loader for.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The number changes when programs that were linked before would no longer run.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libdmaflow.so.0");
}
