#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Cli {
    Cli::try_parse_from(line.split(' ')).unwrap_or_else(|it| panic!("{line}: {it}"))
}

#[test]
fn the_definitions_are_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_that_does_something_shows_an_example() {
    fn walk(command: &clap::Command) {
        let groups = command.get_subcommands().count() > 0;
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(groups || help.contains("tidegate"), "{} has no example", command.get_name());
        command.get_subcommands().filter(|it| it.get_name() != "help").for_each(walk);
    }
    walk(&Cli::command());
}

#[test]
fn every_example_can_be_typed() {
    fn walk(command: &clap::Command, count: &mut usize) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in help.lines().map(str::trim).filter(|it| it.starts_with("tidegate ")) {
            let words = line
                .split("   ")
                .next()
                .unwrap_or(line)
                .split([' '])
                .take_while(|it| !["|", ">"].contains(it));
            let line =
                words.collect::<Vec<_>>().join(" ").replace("'North plant'", "North").replace('\'', "");
            parse(&line);
            *count += 1;
        }
        command.get_subcommands().for_each(|it| walk(it, count));
    }
    let mut count = 0;
    walk(&Cli::command(), &mut count);
    assert!(count > 20, "{count} examples found");
}

#[test]
fn options_win_over_the_settings_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE_NAME), "[server]\ndomain = \"a.test\"\n[data]\npath = \"d\"\n")
        .unwrap();
    let cli = parse(
        "tidegate serve --data e --mqtt 127.0.0.1:0 --https off --domain b.test --tls-cert c --tls-key k",
    );
    let mut config = cli.global.settings(folder.path()).unwrap();
    assert_eq!((config.server.domain.as_str(), config.data.path.as_path()), ("a.test", Path::new("e")));
    let Command::Serve(serving) = cli.command else { panic!("serve") };
    serving.lay_over(&mut config);
    assert_eq!(config.server.domain, "b.test");
    assert_eq!(config.listen.mqtt.to_vec(), ["127.0.0.1:0".parse().unwrap()]);
    assert!(config.listen.https.is_empty());
    assert_eq!(config.listen.mqtts, Config::default().listen.mqtts);
    assert_eq!(config.own_certificate(), Some((Path::new("c"), Path::new("k"))));
}

#[test]
fn a_named_settings_file_must_exist() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("other.toml");
    let global = Global { config: Some(missing.clone()), ..Global::default() };
    assert!(global.settings(folder.path()).unwrap_err().to_string().contains(missing.to_str().unwrap()));
    assert_eq!(Global::default().settings(folder.path()).unwrap(), Config::default());
}

#[test]
fn a_device_is_written_with_its_type() {
    let Command::Device(DeviceCommand::Show(it)) = parse("tidegate device show pump/p1 --org abc123").command
    else {
        panic!("device show")
    };
    assert_eq!(it.device, DevicePath { device_type: "pump".into(), name: "p1".into() });
    assert_eq!(it.org.org.as_deref(), Some("abc123"));
    for wrong in ["p1", "/p1", "pump/", "a/b/c"] {
        assert!(wrong.parse::<DevicePath>().is_err(), "{wrong}");
    }
}

#[test]
fn half_a_certificate_is_refused() {
    assert!(Cli::try_parse_from(["tidegate", "serve", "--tls-cert", "c.pem"]).is_err());
}
