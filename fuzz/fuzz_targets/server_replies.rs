//! What a client makes of whatever a server sends: a reply that says the same when it is
//! written again, or none.
#![no_main]

use dmaflow_heaps::remote::protocol::{Reply, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(reply) = Reply::parse(bytes) {
        let written = reply.encode();
        // An error number that is none of the kernel's becomes EIO.
        let header = 16;
        assert_eq!(written[header..], bytes[header..]);
        let again = Reply::parse(&written).expect("what was read can be read");
        assert_eq!(again.encode(), written);
        assert_eq!(again.serial, reply.serial);
    }
    if let Ok(request) = Request::parse(bytes) {
        assert_eq!(request.encode()[..], *bytes);
    }
});
