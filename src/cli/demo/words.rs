//! What the demo's tickets are made of.

/// A part of the product: a folder of tickets.
pub struct Area {
    /// Below `tickets/`; also a label.
    pub folder: &'static str,
    /// Title of its epic.
    pub goal: &'static str,
    pub spec: Option<&'static str>,
    pub subjects: &'static [&'static str],
}

/// A kind of ticket; `{}` stands for the subject.
pub struct Pattern {
    pub label: &'static str,
    pub title: &'static str,
    pub body: &'static str,
}

pub const PEOPLE: [&str; 5] = ["ada", "bela", "chen", "dara", "emil"];

pub const AREAS: [Area; 7] = [
    Area {
        folder: "eng",
        goal: "A platform that can be changed on a Friday",
        spec: Some("specs/architecture.md"),
        subjects: &["the deploy pipeline", "the staging database", "service health pages"],
    },
    Area {
        folder: "web",
        goal: "A booking page that loads on a bad connection",
        spec: Some("specs/architecture.md"),
        subjects: &["the booking form", "the seat map"],
    },
    Area {
        folder: "auth",
        goal: "Signing in without passwords",
        spec: Some("specs/auth/login.md"),
        subjects: &["the login page", "one-time links", "staff sign-on", "the session list", "kiosk sessions"],
    },
    Area {
        folder: "billing",
        goal: "Invoices that a tax office likes",
        spec: Some("specs/billing/invoices.md"),
        subjects: &["invoice numbers", "refunds", "credit notes", "the payment page", "group tickets"],
    },
    Area {
        folder: "search",
        goal: "Departures found within 200 ms",
        spec: Some("specs/search/ranking.md"),
        subjects: &["harbour search", "the day picker", "price filters", "the departure index"],
    },
    Area {
        folder: "mobile",
        goal: "The app on board works without a network",
        spec: Some("specs/mobile/offline.md"),
        subjects: &["the passenger list", "boarding scans", "offline sync", "the crew chat", "push messages"],
    },
    Area {
        folder: "support",
        goal: "An answer within a day",
        spec: None,
        subjects: &["the contact form", "lost property", "the help centre", "delay messages"],
    },
];

pub const PATTERNS: [Pattern; 7] = [
    Pattern {
        label: "bug",
        title: "{} fails on Safari",
        body: "Seen on Safari 17 and 18, on no other browser.\n\n1. Open {}\n2. Go back with the swipe gesture\n3. Nothing \
               answers any more\n\nThe console says `TypeError: undefined is not an object`. #browser",
    },
    Pattern {
        label: "bug",
        title: "{} is slow on busy days",
        body: "On the first day of the holidays {} took 4 s at the 95th percentile, on a quiet day it takes 0.3 s.\n\n\
               - [x] measured in production\n- [ ] a test that shows it\n- [ ] mended #performance",
    },
    Pattern {
        label: "bug",
        title: "{} loses input after a timeout",
        body: "Whoever looks away for half an hour starts again. What was entered should still be there.\n\nPossibly the \
               same cause as [[login-page-fails-on-safari]].",
    },
    Pattern {
        label: "feature",
        title: "Keyboard use of {}",
        body: "Everything in {} can be done without a mouse:\n\n- [ ] the order of focus is that of reading\n- [ ] focus \
               can be seen\n- [ ] a screen reader says what happens #accessibility",
    },
    Pattern {
        label: "feature",
        title: "Danish and German texts for {}",
        body: "The texts of {} stand in the code. Move them into the catalogue and have them translated.\n\n#translation",
    },
    Pattern {
        label: "chore",
        title: "Tests for {}",
        body: "There is one test for {}, and it is switched off.\n\n```sh\nmake test ONLY={}\n```\n\nStart with what broke \
               in the last half year.",
    },
    Pattern {
        label: "chore",
        title: "Remove the old way of {}",
        body: "Nothing has called it since March. Before it goes: +eng-epic says which reports read its tables.",
    },
];

pub const COMMENTS: [&str; 6] = [
    "I can see this on my machine, too. It needs a full list, an empty one is fine.\n",
    "Talked to the harbour office: they would rather have this before Easter.\n",
    "Half of it is done; the rest waits for the new index.\n",
    "Is this still wanted? I would close it otherwise.\n",
    "The numbers from last week:\n\n| day | 95th percentile |\n|---|---|\n| Friday | 3.8 s |\n| Sunday | 0.4 s |\n",
    "Moved up, two customers asked in one day.\n",
];
