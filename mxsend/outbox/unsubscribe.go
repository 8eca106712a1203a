package outbox

func (b *Box) unsubscribeLink(m *mailing, address string) string { return "" }
