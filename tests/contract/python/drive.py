"""Drives every operation with the client that openapi-python-client made, and checks that every answer parses as its type.

Runs against the server in TILTYARD_URL with the tokens that tests/contract/run minted. Parsing is strict: a missing field, an
id that is no uuid, a time that is no time and a value outside its list raise.
"""

import importlib
import json
import os
import pkgutil
from datetime import datetime, timezone
from http import HTTPStatus
from uuid import UUID, uuid4

import tiltyard_client.api
from tiltyard_client import AuthenticatedClient, Client
from tiltyard_client import models as m
from tiltyard_client.types import File

URL = os.environ["TILTYARD_URL"] + "/v1/session"
ANN, BOB = UUID(os.environ["ANN"]), UUID(os.environ["BOB"])


def operations():
    """Every operation's module by its name, but for the socket, which is no call."""
    found = {}
    for tag in pkgutil.iter_modules(tiltyard_client.api.__path__):
        package = importlib.import_module(f"tiltyard_client.api.{tag.name}")
        for module in pkgutil.iter_modules(package.__path__):
            found[module.name] = importlib.import_module(f"{package.__name__}.{module.name}")
    del found["open_socket"]
    return found


OPERATIONS = operations()
driven = set()


def client(token):
    return AuthenticatedClient(base_url=URL, token=token)


nobody = Client(base_url=URL)
admin = client(os.environ["TOKEN_ADMIN"])
service = client(os.environ["TOKEN_SERVICE"])
ann = client(os.environ["TOKEN_ANN"])
bob = client(os.environ["TOKEN_BOB"])


def answer(name, *path, by, **arguments):
    """What an operation answered, whatever it is."""
    driven.add(name)
    response = OPERATIONS[name].sync_detailed(*path, client=by, **arguments)
    assert response.headers["x-request-id"], name
    return response


def call(name, *path, by, gives, status=HTTPStatus.OK, **arguments):
    """What an operation answered, which must be a success of the type it promises."""
    response = answer(name, *path, by=by, **arguments)
    assert response.status_code == status, f"{name}: {response.status_code} {response.content!r}"
    assert type(response.parsed) is gives, f"{name}: {response.parsed!r}"
    assert gives in (str, File) or not has_null(json.loads(response.content)), f"{name}: {response.content!r}"
    return response.parsed


def refused(name, *path, by, status, reason=None, **arguments):
    """What an operation was refused with, which must be the one error."""
    response = answer(name, *path, by=by, **arguments)
    assert response.status_code == status, f"{name}: {response.status_code} {response.content!r}"
    error = response.parsed
    assert type(error) is m.Error, f"{name}: {error!r}"
    assert error.code == status, name
    assert reason is None or error.details.reason == reason, f"{name}: {error!r}"
    return error.details


def has_null(value):
    """Whether there is a null anywhere, but for an example of a request that has one."""
    if isinstance(value, dict):
        return any(has_null(member) for name, member in value.items() if name != "example")
    if isinstance(value, list):
        return any(map(has_null, value))
    return value is None


def is_time(value):
    assert isinstance(value, datetime), value
    assert abs((datetime.now(timezone.utc) - value).total_seconds()) < 3600, value


def fields(details):
    return [fault.field for fault in details.validation_errors]


def key():
    return f"contract-{uuid4()}"


def fight(**arguments):
    rules = m.CombatSettingsRulesType0.from_dict({"preparation_ms": 0, "reconnect_ms": 600_000})
    settings = m.CombatSettings(max_duration=600, difficulty=m.CombatSettingsDifficulty.EASY, rules=rules)
    body = m.CreateCombatSessionRequest(mode=m.CombatMode.PVP, participants=[ANN, BOB], settings=settings)
    return call(
        "create_combat_session", by=service, gives=m.CombatSession, status=HTTPStatus.CREATED, body=body, **arguments
    )


def create(by, body):
    return call("create_session", by=by, gives=m.Session, status=HTTPStatus.CREATED, body=body)


def custom(by, settings=None):
    body = m.CreateSessionRequest(type_=m.SessionType.CUSTOM, player_id=ANN)
    body.metadata = m.CreateSessionRequestMetadata.from_dict({"name": "Raid"})
    body.settings = m.CreateSessionRequestSettings.from_dict(settings or {})
    return create(by, body)


def health_and_probes_answer_without_a_token():
    health = call("get_health", by=nobody, gives=m.HealthResponse)
    assert health.status is m.HealthResponseStatus.HEALTHY
    is_time(health.timestamp)
    assert call("get_liveness", by=nobody, gives=m.ProbeResponse).status == "live"
    assert call("get_readiness", by=nobody, gives=m.ProbeResponse).status == "ready"
    assert call("get_openapi_json", by=nobody, gives=m.OpenapiDocument).openapi == "3.0.3"
    assert "openapi: 3.0.3" in call("get_openapi_yaml", by=nobody, gives=str)
    rulesets = call("list_rulesets", by=nobody, gives=m.RulesetListResponse).rulesets
    assert m.CombatMode.PVE in next(item for item in rulesets if item.name == "default").modes


def the_rest_needs_one():
    refused("list_sessions", by=nobody, status=401, reason="unauthorized")
    assert "# TYPE tiltyard" in call("get_metrics", by=admin, gives=str)


def faults_are_named():
    assert fields(refused("list_sessions", by=admin, status=400, limit=101)) == ["limit"]
    assert fields(refused("list_combat_sessions", by=admin, status=400, cursor="no cursor")) == ["cursor"]
    refused("get_session", uuid4(), by=admin, status=404, reason="no_session")


def a_fight_is_created_once_read_fought_and_ended():
    once = key()
    created = fight(idempotency_key=once)
    session = created.session_id
    assert [seat.player_id for seat in created.participants] == [ANN, BOB]
    assert all(seat.status is m.CombatParticipantStatus.ACTIVE for seat in created.participants)
    is_time(created.created_at)
    assert fight(idempotency_key=once).session_id == session
    assert call("get_combat_session", session, by=ann, gives=m.CombatSession).mode is m.CombatMode.PVP

    assert call("ready_for_combat", session, by=ann, gives=m.CombatSessionState).session_id == session
    body = m.HandOverRequest(shard=0)
    once = key()
    for _ in range(2):
        moved = call(
            "hand_over_combat_session", session, by=admin, gives=m.HandOverResponse, body=body, idempotency_key=once
        )
        assert moved.shard == 0
    refused("hand_over_combat_session", session, by=ann, status=403, reason="forbidden", body=body)
    # The fight begins by itself: a bound on how often it is asked is a bound on the time.
    for _ in range(5000):
        state = call("get_combat_session_state", session, by=service, gives=m.CombatSessionState)
        if state.phase is not m.CombatPhase.PREPARATION:
            break
    assert state.phase is m.CombatPhase.ACTIVE
    body = m.CombatActionRequest(action_type=m.CombatActionRequestActionType.ATTACK, player_id=ANN, target_id=BOB)
    body.timestamp = datetime.now(timezone.utc)
    result = call(
        "execute_combat_action", session, by=ann, gives=m.CombatActionResult, body=body, idempotency_key=key()
    )
    assert result.success and result.damage_dealt > 0
    assert type(result.action_id) is UUID and type(result.new_state) is m.CombatSessionState
    refused("execute_combat_action", session, by=bob, status=403, reason="forbidden", body=body)

    listed = call("list_combat_sessions", by=bob, gives=m.CombatSessionListResponse, limit=50)
    assert session in [fight.session_id for fight in listed.sessions]
    details = call("get_session", session, by=ann, gives=m.SessionDetails, include_logs=True, include_stats=True)
    assert details.type_ is m.SessionType.COMBAT
    assert any(entry.event_type == "hit" for entry in details.logs)
    assert details.stats.events_count > 0
    page = call("list_session_logs", session, by=ann, gives=m.SessionLogResponse, limit=1)
    is_time(page.logs[0].timestamp)

    tag = f'"{details.version}"'
    paused = m.UpdateSessionRequest(status=m.SessionStatus.PAUSED)
    updated = call("update_session", session, by=service, gives=m.Session, body=paused, if_match=tag)
    assert updated.status is m.SessionStatus.PAUSED
    stale = refused(
        "update_session", session, by=service, status=412, reason="precondition_failed", body=paused, if_match=tag
    )
    assert stale.version == updated.version
    refused("get_combat_replay", session, by=ann, status=404, reason="no_replay")
    # The generated client says that there is JSON, and sends none.
    assert call("terminate_session", session, by=service, gives=m.Session).status in m.SessionStatus
    body = m.TerminateSessionRequest(reason="The test is over.", force=True)
    ended = call("terminate_session", session, by=service, gives=m.Session, body=body)
    assert ended.status is m.SessionStatus.TERMINATED
    assert call("get_combat_replay", session, by=ann, gives=File).payload.read(8) == b"tyreplay"


def a_custom_session_has_members_and_a_state():
    created = custom(ann, {"max_members": 5})
    session = created.session_id
    assert created.metadata["name"] == "Raid"
    is_time(created.members[0].joined_at)
    joined = call("join_session", session, by=bob, gives=m.Session)
    assert [member.player_id for member in joined.members] == [ANN, BOB]
    named = m.JoinSessionRequest(player_id=uuid4())
    assert len(call("join_session", session, by=service, gives=m.Session, body=named).members) == 3

    patch = m.SessionStatePatch.from_dict({"round": 1, "votes": {"dock": 2}})
    assert call("patch_session_state", session, by=bob, gives=m.SessionState, body=patch)["round"] == 1
    state = call("get_session_state", session, by=ann, gives=m.SessionState)
    assert state.to_dict() == {"round": 1, "votes": {"dock": 2}}
    left = call("leave_session", session, BOB, by=bob, gives=m.Session)
    assert BOB not in [member.player_id for member in left.members]
    listed = call("list_sessions", by=ann, gives=m.SessionListResponse, type_=m.SessionType.CUSTOM, player_id=ANN)
    assert listed.sessions[0].session_id == session
    assert listed.total_count >= 1
    call("terminate_session", session, by=ann, gives=m.Session)


def a_player_is_online_once():
    body = m.CreateSessionRequest(type_=m.SessionType.PLAYER, player_id=ANN)
    created = create(ann, body)
    assert created.presence is m.SessionPresence.ONLINE
    taken = refused("create_session", by=ann, status=409, reason="already_active", body=body)
    assert taken.session_id == created.session_id
    is_time(call("heartbeat_session", created.session_id, by=ann, gives=m.Session).last_seen_at)
    call("terminate_session", created.session_id, by=ann, gives=m.Session)


def logins_have_tokens_that_are_good_once_and_can_be_revoked():
    created = create(service, m.CreateSessionRequest(type_=m.SessionType.AUTH, player_id=BOB))
    assert created.tokens.token_type is m.SessionTokensTokenType.BEARER
    assert created.tokens.expires_in > 0
    own = client(created.tokens.access_token)
    call("list_sessions", by=own, gives=m.SessionListResponse)
    body = m.RefreshTokensRequest(refresh_token=created.tokens.refresh_token)
    call("refresh_tokens", created.session_id, by=nobody, gives=m.Session, body=body)
    # One that is used again has been stolen or lost, and ends the session.
    refused("refresh_tokens", created.session_id, by=nobody, status=401, reason="unauthorized", body=body)
    refused("list_sessions", by=own, status=401, reason="unauthorized")
    create(service, m.CreateSessionRequest(type_=m.SessionType.AUTH, player_id=BOB))
    body = m.RevokeTokensRequest(player_id=BOB)
    assert call("revoke_tokens", by=service, gives=m.RevokeTokensResponse, body=body).revoked == 1


def tickets_guests_and_seats_lead_to_a_socket():
    session = fight().session_id
    ticket = call("create_ticket", session, by=ann, gives=m.Ticket, status=HTTPStatus.CREATED)
    assert ticket.player_id == ANN
    is_time(ticket.expires_at)
    guest = call("create_guest", by=nobody, gives=m.Guest, status=HTTPStatus.CREATED, body=m.CreateGuestRequest())
    body = m.TakeArenaSeatRequest(kind=m.ArenaKind.BRAWL)
    seat = call("take_arena_seat", by=client(guest.token), gives=m.ArenaSeat, body=body)
    assert seat.seats == 4 and seat.url.startswith("ws:")


def analytics_count_what_happened():
    figures = call("get_session_analytics", by=admin, gives=m.SessionAnalytics, timeframe=m.Timeframe("1h"))
    assert figures.timeframe is m.Timeframe("1h")
    assert figures.total_sessions > 0
    # A service without the scope is refused, and so is every player.
    refused("get_session_analytics", by=service, status=403, reason="forbidden")
    refused("get_session_analytics", by=ann, status=403, reason="forbidden")


def every_operation_was_driven():
    assert driven == set(OPERATIONS), set(OPERATIONS) - driven


def main():
    failed = 0
    for test in [
        health_and_probes_answer_without_a_token,
        the_rest_needs_one,
        faults_are_named,
        a_fight_is_created_once_read_fought_and_ended,
        a_custom_session_has_members_and_a_state,
        a_player_is_online_once,
        logins_have_tokens_that_are_good_once_and_can_be_revoked,
        tickets_guests_and_seats_lead_to_a_socket,
        analytics_count_what_happened,
        every_operation_was_driven,
    ]:
        try:
            test()
            print("ok    ", test.__name__)
        except Exception as error:  # Whatever goes wrong is a failure, and the others are run all the same.
            failed += 1
            line = error.__traceback__.tb_next.tb_lineno
            print("FAILED", test.__name__, f"line {line}: {type(error).__name__}: {error}")
    if failed:
        raise SystemExit(f"{failed} failed")


if __name__ == "__main__":
    main()
