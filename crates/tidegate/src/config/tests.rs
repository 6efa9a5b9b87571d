#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use super::*;

fn fault(text: &str) -> String {
    Config::parse(text, "tidegate.toml").unwrap_err().to_string()
}

#[test]
fn nothing_has_to_be_written() {
    let config = Config::default();
    assert_eq!(config.server.domain, "localhost");
    assert_eq!(config.listen.mqtt.to_vec(), ["0.0.0.0:1883".parse().unwrap()]);
    assert_eq!(config.own_certificate(), None);
    assert_eq!(
        Config::parse(DEFAULT_FILE, "default.toml").unwrap(),
        config,
        "the printed file changes nothing"
    );
}

#[test]
fn the_defaults_are_those_of_the_domain() {
    let limits = Config::default().limits;
    assert_eq!(limits.queue_retention_s * 1000, domain::limits::QUEUE_RETENTION_MS);
    assert_eq!(limits.registration_pending_count_max, domain::limits::REGISTRATIONS_PENDING_COUNT_MAX);
    assert_eq!(limits.registration_back_off_s * 1000, domain::limits::REGISTRATION_BACK_OFF_MS);
}

#[test]
fn every_number_has_a_range_that_holds_its_default() {
    let known = DeTable::parse(DEFAULT_FILE).unwrap();
    let mut count = 0;
    for (section, content) in known.get_ref().iter() {
        for (key, value) in
            content.get_ref().as_table().unwrap().iter().filter(|it| it.1.get_ref().is_integer())
        {
            let range = range_of(section.get_ref(), key.get_ref());
            let range = range.unwrap_or_else(|| panic!("{} has no range", key.get_ref()));
            assert_eq!(check_range(value.get_ref(), range), Ok(()), "{}", key.get_ref());
            count += 1;
        }
    }
    assert_eq!(count, RANGES.len(), "a range without its number");
}

#[test]
fn a_file_changes_what_it_names() {
    let text = "[listen]\nmqtt = [\"127.0.0.1:0\", \"[::1]:1883\"]\nmqtts = \"off\"\nhttp = \"\"\n[log]\nformat = \"json\"\n\
                [limits]\ninflight_device_count_max = 0x20\n";
    let config = Config::parse(text, "tidegate.toml").unwrap();
    assert_eq!(config.listen.mqtt.to_vec(), ["127.0.0.1:0".parse().unwrap(), "[::1]:1883".parse().unwrap()]);
    assert!(config.listen.mqtts.is_empty() && config.listen.http.is_empty());
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.limits.inflight_device_count_max, 32);
    assert_eq!(config.listen.https, Config::default().listen.https);
}

#[test]
fn a_fault_names_file_line_and_key() {
    let cases = [
        (
            "[listen]\n# plain\nmqt = \"0.0.0.0:1883\"\n",
            "unknown key `mqt` in [listen] at tidegate.toml:3; did you mean `mqtt`?",
        ),
        ("[liste]\n", "unknown section `liste` at tidegate.toml:1; did you mean `listen`?"),
        (
            "\n[zzz]\n",
            "unknown section `zzz` at tidegate.toml:2; known are data, limits, listen, log, onenet, plain, server, thingsboard, tls, watson",
        ),
        ("mqtt = \"off\"\n", "`mqtt` at tidegate.toml:1 belongs below [listen]"),
        ("listen = 3\n", "`listen` at tidegate.toml:1 is a section: write [listen] on a line of its own"),
        (
            "[limits]\n\nconnection_count_max = \"many\"\n",
            "`connection_count_max` in [limits] at tidegate.toml:3: wants a whole number, not a text in quotes",
        ),
        (
            "[limits]\ninflight_device_count_max = 70000\n",
            "`inflight_device_count_max` in [limits] at tidegate.toml:2: must be from 1 to 65535",
        ),
        (
            "[limits]\ninflight_device_count_max = -1\n",
            "`inflight_device_count_max` in [limits] at tidegate.toml:2: must be from 1 to 65535",
        ),
        (
            "[listen]\nmqtt = [\n  \"0.0.0.0:1883\",\n  \"0.0.0.0\",\n]\n",
            "`mqtt` in [listen] at tidegate.toml:4: `0.0.0.0` is not an address: write ip:port, such as \
             0.0.0.0:1883 or [::1]:1883, or `off`",
        ),
        (
            "[log]\nformat = \"xml\"\n",
            "`format` in [log] at tidegate.toml:2: unknown variant `xml`, expected `human` or `json`",
        ),
        (
            "[plain]\nanonymous = \"everywhere\"\n",
            "`anonymous` in [plain] at tidegate.toml:2: lets everybody in who reaches the server: if that is meant, set \
             `anonymous_everywhere_confirmed = true` as well",
        ),
        (
            "[plain]\nanonymous_org = \"ABC\"\n",
            "`anonymous_org` in [plain] at tidegate.toml:2: is not six characters of a-z and 0-9",
        ),
        (
            "[plain]\nanonymous_publish = [\"a\", \"#/b\"]\n",
            "`anonymous_publish` in [plain] at tidegate.toml:2: The rule \"#/b\" is no topic filter: '#' is not the whole \
             last level of a topic filter.",
        ),
        ("[tls]\ncert = \"a.pem\"\n", "`cert` in [tls] at tidegate.toml:2: needs `key` beside it"),
    ];
    for (text, expected) in cases {
        assert_eq!(fault(text), expected);
    }
}

#[test]
fn a_file_that_is_not_toml_is_told_where() {
    let fault = fault("[server]\ndomain = localhost\n");
    assert!(fault.starts_with("tidegate.toml:2 is not TOML"), "{fault}");
}

#[test]
fn a_missing_file_is_told_with_a_remedy() {
    let fault = Config::load(Path::new("/nowhere/tidegate.toml")).unwrap_err().to_string();
    assert!(fault.contains("/nowhere/tidegate.toml") && fault.contains("tidegate config"), "{fault}");
}

#[test]
fn rates_are_times_in_seconds() {
    let config = Config::default();
    assert_eq!(config.thingsboard.rate_rules(), platform::RateRules::default(), "nothing is bounded");
    let text = "[thingsboard]\nrate_device_points = \"100:1,2000:60\"\n";
    let rules = Config::parse(text, "tidegate.toml").unwrap().thingsboard.rate_rules();
    assert_eq!(rules.device.points.to_string(), "100:1,2000:60");
    assert!(rules.device.messages.is_unlimited() && rules.org.is_unlimited());
    let fault = fault("[thingsboard]\nrate_org_messages = \"100\"\n");
    assert!(fault.contains("tidegate.toml:2") && fault.contains("times:seconds"), "{fault}");
}
