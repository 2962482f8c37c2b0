//! Which parts of a region somebody may have written, since they were zero.

use std::collections::BTreeMap;

use dmaflow_core::heap::ClientId;

use super::space::Extent;

/// The parts that may hold something, and whose it is. What has no mark is zero.
///
/// Neighbours of one client are one part. A change costs O(log n) for n parts, besides those it
/// covers, each of which another change has made.
#[derive(Debug, Default)]
pub(super) struct Marks(BTreeMap<u64, (u64, ClientId)>);

impl Marks {
    /// Remembers that a client may have written there.
    pub(super) fn mark(&mut self, part: Extent, client: ClientId) {
        self.unmark(part);
        let (mut start, mut end) = (part.start, part.end());
        if let Some((&before, &(border, whose))) = self.0.range(..start).next_back()
            && (border, whose) == (start, client)
        {
            start = before;
        }
        if let Some(&(border, whose)) = self.0.get(&end)
            && whose == client
        {
            self.0.remove(&end);
            end = border;
        }
        self.0.insert(start, (end, client));
    }

    /// Remembers that it is zero there.
    pub(super) fn unmark(&mut self, part: Extent) {
        let before = self.0.range(..part.start).next_back();
        if let Some((&start, &(end, whose))) = before
            && end > part.start
        {
            self.0.insert(start, (part.start, whose));
            self.0.insert(part.start, (end, whose));
        }
        while let Some((&start, &(end, whose))) = self.0.range(part.start..part.end()).next() {
            self.0.remove(&start);
            if end > part.end() {
                self.0.insert(part.end(), (end, whose));
            }
        }
    }

    /// What lies there that is not this client's; without a client, whatever lies there.
    pub(super) fn of_others(
        &self,
        part: Extent,
        client: Option<ClientId>,
    ) -> impl Iterator<Item = Extent> {
        let reaching_in = self.0.range(..part.start).next_back();
        let inside = self.0.range(part.start..part.end());
        reaching_in
            .into_iter()
            .chain(inside)
            .filter(move |&(_, &(_, whose))| Some(whose) != client)
            .filter_map(move |(&start, &(end, _))| {
                let (start, end) = (start.max(part.start), end.min(part.end()));
                (end > start).then(|| Extent {
                    start,
                    len: end - start,
                })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::heap::Account;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const PAGES: usize = 64;

    proptest! {
        #[test]
        fn marks_are_what_a_list_of_pages_would_be(
            ops in vec((0..PAGES, 1..=PAGES, 0..3usize), 1..60),
        ) {
            let clients = [Account::new("a").client(), Account::new("b").client()];
            let mut marks = Marks::default();
            let mut pages = [None; PAGES];
            for (start, len, who) in ops {
                let end = (start + len).min(PAGES);
                let part = Extent { start: start as u64, len: (end - start) as u64 };
                let client = clients.get(who).copied();
                pages[start..end].fill(client);
                match client {
                    Some(client) => marks.mark(part, client),
                    None => marks.unmark(part),
                }
                for asker in [None, Some(clients[0])] {
                    let mut seen = [false; PAGES];
                    for found in marks.of_others(part, asker) {
                        prop_assert!(found.start >= part.start && found.end() <= part.end());
                        seen[usize::try_from(found.start)?..usize::try_from(found.end())?].fill(true);
                    }
                    for page in start..end {
                        prop_assert_eq!(seen[page], pages[page].is_some() && pages[page] != asker);
                    }
                }
                let whole = Extent { start: 0, len: PAGES as u64 };
                let all: u64 = marks.of_others(whole, None).map(|found| found.len).sum();
                prop_assert_eq!(all, pages.iter().flatten().count() as u64);
                let borders = pages.windows(2).filter(|pair| pair[0] != pair[1]).count() as u64;
                prop_assert!(marks.0.len() as u64 <= borders + 1, "neighbours are joined");
            }
        }
    }
}
