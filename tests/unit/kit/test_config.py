from pathlib import Path

import pytest

from services.kit.config import ServiceConfig, WrongSettingError


def test_without_any_variable_everything_is_on_this_machine() -> None:
    config = ServiceConfig.from_environ({}, "points")
    assert config == ServiceConfig(
        name="points",
        mongo_url="mongodb://127.0.0.1:27017/?replicaSet=rs0",
        amqp_url="amqp://guest:guest@127.0.0.1:5672/",
        namespace="",
        driver="motor",
        keys_dir=Path(".state/keys"),
        addresses={
            "gateway": "127.0.0.1:8000",
            "members": "127.0.0.1:7101",
            "points": "127.0.0.1:7102",
            "campaigns": "127.0.0.1:7103",
            "feedback": "127.0.0.1:7104",
        },
        topology=Path("infra/broker/topology.toml"),
        log="text",
    )
    assert (config.address, config.database_name) == ("127.0.0.1:7102", "huitou_points")


def test_every_setting_can_be_changed() -> None:
    config = ServiceConfig.from_environ(
        {
            "MONGO_URL": "mongodb+srv://db/",
            "AMQP_URL": "amqps://broker/",
            "HUITOU_NAMESPACE": "t1_",
            "HUITOU_DRIVER": "PyMongo",
            "HUITOU_KEYS_DIR": "/keys",
            "HUITOU_TOPOLOGY": "/t.toml",
            "HUITOU_LOG": "json",
            "MEMBERS_ADDRESS": "[::1]:1",
            "POINTS_ADDRESS": "points.huitou.svc:65535",
            "FEEDBACK_ADDRESS": " ",
        },
        "members",
    )
    assert (config.mongo_url, config.amqp_url) == ("mongodb+srv://db/", "amqps://broker/")
    assert (config.namespace, config.driver, config.log) == ("t1_", "pymongo", "json")
    assert (config.keys_dir, config.topology) == (Path("/keys"), Path("/t.toml"))
    assert (config.address, config.database_name) == ("[::1]:1", "t1_huitou_members")
    assert (config.addresses["points"], config.addresses["feedback"]) == ("points.huitou.svc:65535", "127.0.0.1:7104")


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("HUITOU_DRIVER", "mongo", "HUITOU_DRIVER is 'mongo'; allowed: motor or pymongo."),
        ("HUITOU_LOG", "xml", "HUITOU_LOG is 'xml'; allowed: text or json."),
        (
            "HUITOU_NAMESPACE",
            "A.b",
            "HUITOU_NAMESPACE is 'A.b'; allowed: up to 20 of a to z, 0 to 9, _ and -, like test_.",
        ),
        ("POINTS_ADDRESS", "7102", "POINTS_ADDRESS is '7102'; allowed: host:port, like 127.0.0.1:7102."),
        ("POINTS_ADDRESS", "host:65536", "POINTS_ADDRESS is 'host:65536'; allowed: host:port, like 127.0.0.1:7102."),
        ("POINTS_ADDRESS", "host:²", "POINTS_ADDRESS is 'host:²'; allowed: host:port, like 127.0.0.1:7102."),
        (
            "MONGO_URL",
            "postgres://root:pass@db/x",
            "MONGO_URL is 'postgres://root:…@db/x'; allowed: a URL like mongodb://127.0.0.1:27017/?replicaSet=rs0.",
        ),
        ("AMQP_URL", "amqp://", "AMQP_URL is 'amqp://'; allowed: a URL like amqp://guest:guest@127.0.0.1:5672/."),
    ],
)
def test_a_wrong_value_says_what_was_found_and_what_is_allowed(variable: str, value: str, message: str) -> None:
    with pytest.raises(WrongSettingError) as caught:
        ServiceConfig.from_environ({variable: value}, "members")
    assert caught.value.message == message


def test_a_password_with_odd_characters_is_not_shown_either() -> None:
    with pytest.raises(WrongSettingError) as caught:
        ServiceConfig.from_environ({"MONGO_URL": "mongo://me:p/a:s@s@db:1/x"}, "members")
    assert "MONGO_URL is 'mongo://me:…@db:1/x'" in caught.value.message


def test_there_are_five_processes() -> None:
    with pytest.raises(WrongSettingError, match="allowed: gateway, members, points, campaigns, feedback"):
        ServiceConfig.from_environ({}, "orders")
