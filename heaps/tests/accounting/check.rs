//! What must hold after every deed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dmaflow_heaps::remote::protocol::Whose;

use crate::{IN_ALL, PER_CLIENT, PER_USER, Pair, SERVER};

impl Pair {
    pub(crate) fn check(&self) {
        let (buffers, bytes) = self.of_all();
        let usage = self.node.heap().stats().usage;
        assert_eq!((usage.live, usage.live_bytes), (buffers, bytes));
        let usage = self.server.usage();
        assert_eq!((usage.live, usage.live_bytes), (buffers, bytes));
        assert!(usage.peak <= SERVER.buffers.unwrap());
        let world = self.world.lock().unwrap();
        assert_eq!((world.out.len() as u64, world.wrong.len()), (buffers, 0));
        drop(world);
        assert_eq!(self.node.lingering(), self.lingering.len());
        assert_eq!(self.node.sessions(), self.clients.len());
        let mut clients = self.clients.iter();
        let mut pipelines = (0, 0);
        for figures in self.node.figures() {
            let usage = figures.usage;
            let has = (usage.live, usage.live_bytes);
            match figures.whose {
                Whose::Heap { .. } => {
                    assert_eq!(has, (buffers, bytes));
                    assert!(usage.peak_bytes <= IN_ALL.bytes.unwrap());
                }
                Whose::User { uid } => {
                    assert_eq!(has, self.of_user(uid));
                    assert!(usage.peak_bytes <= PER_USER.bytes.unwrap());
                    assert!(usage.peak <= PER_USER.buffers.unwrap());
                    let lingering = self.lingering.values();
                    let lingering = lingering.filter(|left| left.uid == uid);
                    let bytes: u64 = lingering.map(|left| left.len).sum();
                    assert_eq!(figures.lingering, bytes);
                }
                Whose::Client { uid, .. } => {
                    let (&id, client) = clients.next().unwrap();
                    assert_eq!(uid, client.uid);
                    assert_eq!(has, self.of_client(id));
                    assert!(usage.peak_bytes <= PER_CLIENT.bytes.unwrap());
                    assert!(usage.peak <= PER_CLIENT.buffers.unwrap());
                    pipelines = has;
                }
                Whose::Pipeline { .. } => {
                    assert!(has.0 <= pipelines.0 && has.1 <= pipelines.1);
                    pipelines = (pipelines.0 - has.0, pipelines.1 - has.1);
                }
            }
        }
        assert!(clients.next().is_none());
    }
}
