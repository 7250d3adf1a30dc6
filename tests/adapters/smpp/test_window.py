"""The window lets so many in at once, in order, and is narrower for a while after it was halved."""

import asyncio

from adapters.smpp.window import Window
from tests.adapters.smpp.sessions import on_loop


@on_loop
async def test_it_lets_in_as_many_as_it_is_wide_and_then_one_for_each_that_leaves() -> None:
    window, order = Window(2), list[int]()

    async def enter(number: int) -> None:
        assert await window.enter()
        order.append(number)

    entering = [asyncio.create_task(enter(number)) for number in range(5)]
    await turns()
    assert order == [0, 1]
    window.leave()
    await turns()
    assert order == [0, 1, 2]
    window.leave()
    window.leave()
    await asyncio.gather(*entering)
    assert order == [0, 1, 2, 3, 4]


@on_loop
async def test_it_halves_but_never_below_one() -> None:
    window, widths = Window(10), []
    for _ in range(5):
        window.halve()
        widths.append(window.width)
    assert widths == [5, 2, 1, 1, 1]


@on_loop
async def test_it_grows_by_one_after_as_many_good_answers_as_it_is_wide() -> None:
    window, widths = Window(4), []
    window.halve()
    window.halve()
    for _ in range(10):
        window.answered_well()
        widths.append(window.width)
    assert widths == [2, 2, 3, 3, 3, 4, 4, 4, 4, 4]


@on_loop
async def test_a_refusal_makes_the_counting_of_good_answers_begin_again() -> None:
    window = Window(8)
    window.halve()  # 4
    for _ in range(3):
        window.answered_well()
    window.halve()  # 2
    window.answered_well()
    assert window.width == 2
    window.answered_well()
    assert window.width == 3


@on_loop
async def test_after_halving_nobody_comes_in_before_enough_have_left() -> None:
    window = Window(4)
    for _ in range(4):
        await window.enter()
    waiting = asyncio.create_task(window.enter())
    window.halve()
    window.leave()
    window.leave()
    await turns()
    assert not waiting.done()  # two are inside, and it is two wide
    window.leave()
    assert await waiting


@on_loop
async def test_growing_lets_in_who_waits() -> None:
    window = Window(2)
    window.halve()
    await window.enter()
    waiting = asyncio.create_task(window.enter())
    await turns()
    window.answered_well()
    assert await waiting


@on_loop
async def test_who_gives_up_waiting_takes_no_room() -> None:
    window = Window(1)
    await window.enter()
    impatient, patient = asyncio.create_task(window.enter()), asyncio.create_task(window.enter())
    await turns()
    impatient.cancel()
    await turns()
    window.leave()
    assert await patient


@on_loop
async def test_who_gives_up_when_the_turn_has_just_come_passes_it_on() -> None:
    window = Window(1)
    await window.enter()
    impatient, patient = asyncio.create_task(window.enter()), asyncio.create_task(window.enter())
    await turns()
    window.leave()
    impatient.cancel()
    assert await patient
    assert impatient.cancelled()


@on_loop
async def test_a_closed_one_lets_nobody_in() -> None:
    window = Window(1)
    await window.enter()
    waiting = asyncio.create_task(window.enter())
    await turns()
    window.close()
    assert not await waiting
    assert not await window.enter()


async def turns() -> None:
    """Let the loop do all that is due."""
    for _ in range(5):
        await asyncio.sleep(0)
