//! Generated texts of SQL, written so that a reader who is no lexer takes one part for another.

/// What looks like something else where it stands.
const BAIT: &[&str] = &[
    "/*",
    "*/",
    "--",
    ";",
    "$$",
    "$a$",
    "\"",
    "'",
    "E'",
    "U&'",
    "x",
    "it's",
    "BEGIN",
    "SET ROLE pg_monitor",
    "é",
    " ",
    "; BEGIN; ",
    "\n",
    "\r",
    "END",
    "image/*",
    "COMMIT",
    "'--",
    "*/;",
];

/// What leaves something on a connection. `_` is a blank of any form, and letters may be in either case.
const LEAVING: &[&str] = &[
    "SET_ROLE_pg_monitor",
    "SET_SESSION_ROLE_pg_monitor",
    "SET_SESSION_AUTHORIZATION_pg_monitor",
    "SET_search~path_TO_other",
    "SET_SCHEMA_'other'",
    "SET_\"search~path\"_=_other",
    "SET_U&\"search\\005fpath\"_=_other",
    "SELECT_set~config('search~path','other',false)",
    "SELECT_pg~catalog.\"set~config\"('role','pg~monitor',false)",
    "SELECT_U&\"set\\005fconfig\"('role','pg~monitor',false)",
    "SELECT_query~to~xml(E'select_set\\x5fconfig(''role'',''pg~monitor'',false)',true,true,'')",
    "UPDATE_pg~settings_SET_setting='other'_WHERE_name='search~path'",
    "SET_lock~timeout='7s'",
    "SET_TIME_ZONE_'Asia/Kolkata'",
    "SET_datestyle_TO_'German'",
    "RESET_search~path;_SET_work~mem='3MB'",
    "CREATE_TEMP_TABLE_t_(x_int)",
    "CREATE_LOCAL_TEMPORARY_TABLE_t_AS_SELECT_1_AS_x",
    "CREATE_TABLE_pg~temp.t_(x_int)",
    "CREATE_TEMP_VIEW_t_AS_SELECT_1",
    "SELECT_1_AS_x_INTO_TEMP_t",
    "EXPLAIN_ANALYZE_CREATE_TEMP_TABLE_t_AS_SELECT_1",
    "SELECT_pg~advisory~lock(7)",
    "SELECT_pg~try~advisory~lock~shared(7,8)",
    "LISTEN_news",
    "BEGIN",
    "START_TRANSACTION_READ_ONLY",
    "BEGIN;_COMMIT_AND_CHAIN",
    "BEGIN;_DECLARE_c_CURSOR_WITH_HOLD_FOR_SELECT_1;_COMMIT",
    "DECLARE_c_CURSOR_WITH_HOLD_FOR_SELECT_1",
    "DO_$do$_BEGIN_PERFORM_set~config('role','pg~monitor',false);_END_$do$",
    "DO_'BEGIN_EXECUTE_''SET_ROLE_pg~monitor'';_END'",
    "SELECT_run('CREATE_TEMP_TABLE_t_(x_int)')",
];

/// What only closing the connection undoes, which takes long.
const CLOSING: &[&str] = &["PREPARE_p_AS_SELECT_1", "DISCARD_ALL;_PREPARE_p_AS_SELECT_1"];

/// A generator of texts, the same for the same seed.
#[derive(Debug)]
pub struct Texts {
    state: u64,
    /// Whether `standard_conforming_strings` is on where they are run.
    conforming: bool,
}

impl Texts {
    /// Texts for a server that reads backslashes so.
    pub fn new(seed: u64, conforming: bool) -> Self {
        Self { state: seed, conforming }
    }

    /// The next text, of one to four statements.
    pub fn text(&mut self) -> String {
        let statements: Vec<_> = (0..=self.below(4)).map(|_| self.statement()).collect();
        statements.join(if self.one_in(2) { ";" } else { " ;\n" })
    }

    fn statement(&mut self) -> String {
        if self.one_in(300) {
            return self.written(CLOSING);
        }
        if self.one_in(7) {
            return self.written(LEAVING);
        }
        if self.one_in(40) {
            return "SELECT 1/0".into();
        }
        let (a, b, blank, comment) = (self.literal(), self.literal(), self.blank(), self.comment());
        match self.below(9) {
            0 => format!("{blank}SELECT {a},{blank}{b}"),
            1 => format!("INSERT INTO notes SELECT{blank}{a} WHERE false{blank}"),
            2 => format!("SELECT {a} AS \"{}\"", self.bait().replace('"', "\"\"")),
            3 => format!("SELECT 2*{comment}-{comment}3, 1+--{a}\r1"),
            4 => format!("SELECT {a} AS a$a${blank}, 1 AS é$$"),
            5 => format!("VALUES ({a}){comment}"),
            6 => format!("WITH w AS{blank}(SELECT {a}) SELECT 1{blank}FROM w"),
            7 => format!("UPDATE{blank}notes SET x = {a} WHERE false"),
            _ => format!("{comment}({blank}SELECT {a} )"),
        }
    }

    /// One of these, with blanks of all forms and letters of either case.
    fn written(&mut self, statements: &[&str]) -> String {
        let pattern = statements[self.below(statements.len())];
        let (mut out, mut quoted) = (String::new(), false);
        let shout = self.one_in(2);
        for char in pattern.chars() {
            quoted ^= matches!(char, '\'' | '"' | '$');
            match char {
                '_' if quoted => out.push(' '),
                '_' => out.push_str(&self.blank()),
                '~' => out.push('_'),
                _ if shout || quoted => out.push(char),
                _ => out.push(char.to_ascii_lowercase()),
            }
        }
        out
    }

    /// A literal of any form.
    fn literal(&mut self) -> String {
        let parts: Vec<_> = (0..=self.below(3)).map(|_| self.bait().to_owned()).collect();
        let content = parts.concat();
        match self.below(9) {
            0 | 1 => self.continued("", &parts, !self.conforming),
            2 => self.continued("E", &parts, true),
            3 => self.continued("e", &parts, true),
            4 if self.conforming => format!("U&'\\0041{}\\+00005f'", content.replace('\'', "''")),
            5 => self.continued("N", &parts[..1], !self.conforming),
            6 if self.one_in(2) => "B'0101'".into(),
            6 => "X'1f'".into(),
            // Ends in a backslash, or in one that is escaped.
            7 if self.conforming => format!("'{}\\'", content.replace('\'', "''")),
            7 => format!("'{}\\\\'", content.replace('\'', "''")),
            _ => {
                let tags = ["$$", "$a$", "$é_1$", "$BEGIN$"];
                // The last one ends nowhere but at its end.
                let fits = |tag: &&&str| !content.contains(**tag) && !content.ends_with('$');
                let tag = tags.iter().skip(self.below(4)).find(fits).unwrap_or(&"$none$");
                format!("{tag}{content}{tag}")
            }
        }
    }

    /// Each part on a line of its own, as one literal.
    fn continued(&mut self, prefix: &str, parts: &[String], escaping: bool) -> String {
        let mut out = format!("{prefix}'");
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                let gap = ["'\n'", "' \r\t'", "'--it's\n'", "'  -- \"/*\r '"];
                out.push_str(gap[self.below(gap.len())]);
            }
            for char in part.chars() {
                match char {
                    '\'' if escaping && self.one_in(2) => out.push_str("\\'"),
                    '\'' => out.push_str("''"),
                    char => out.push(char),
                }
            }
            if self.one_in(6) {
                out.push_str(if escaping { "\\\\\\x27\\47" } else { "\\x" });
            }
        }
        out + "'"
    }

    fn blank(&mut self) -> String {
        match self.below(8) {
            0 => "\n\t".into(),
            1 => "\r".into(),
            2 => self.comment(),
            3 => format!(" --{}\n", self.bait().replace(['\n', '\r'], "")),
            4 => format!("--{}\r", self.bait().replace(['\n', '\r'], "")),
            _ => " ".into(),
        }
    }

    fn comment(&mut self) -> String {
        let inside = self.bait().replace("*/", "").replace("/*", "");
        match self.below(4) {
            0 => format!("/*{inside}/*{inside}*/'*/"),
            1 => "/*/ * */".into(),
            2 => "/**/".into(),
            _ => format!("/*{inside}**/"),
        }
    }

    fn bait(&mut self) -> &'static str {
        BAIT[self.below(BAIT.len())]
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn below(&mut self, limit: usize) -> usize {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 33) as usize % limit
    }
}
