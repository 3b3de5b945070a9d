package console

func (c *Console) messagePages() {}
