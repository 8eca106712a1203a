package outbox

// share divides the room in the gate among claims that want so many intents each: evenly, and what one does not want goes to
// the others. The room counts only results that are durable: those of the commit under way may still fail.
func share(room int, wants []int) []int {
	grants := make([]int, len(wants))
	for room > 0 {
		hungry := 0
		for i, want := range wants {
			if grants[i] < want {
				hungry++
			}
		}
		if hungry == 0 {
			break
		}
		each := max(room/hungry, 1)
		for i, want := range wants {
			n := min(each, want-grants[i], room)
			grants[i] += n
			room -= n
		}
	}
	return grants
}

// A window is how many intents a claim may have that it has not used yet. All of them would be in doubt after a crash, though
// nothing was handed over, so it is no larger than it must be for nobody to wait for a commit: it doubles when somebody
// did, and shrinks slowly while nobody does.
const leastWindow = 8

func nextWindow(window int, starved bool, gate int) int {
	if starved {
		return min(2*window, max(gate, leastWindow))
	}
	return max(window-window/32-1, leastWindow)
}
